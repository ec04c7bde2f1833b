"""Endpoints: created, changed, split, deleted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation
from endpoints.spec.errors import Conflict, Forbidden, Invalid, NotFound, OutOfQuota
from studio.access.models import User
from tests.people import person
from tests.services import world

Commit = Callable[..., AbstractContextManager[Any]]


def risk() -> OnlineEndpoint:
    return OnlineEndpoint.objects.get(name="risk")


def test_an_endpoint_is_finished_as_soon_as_it_is_recorded(
    teammate: User, django_capture_on_commit_callbacks: Commit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        operation = services.create_endpoint(teammate, document={"name": "risk", "tags": {"team": "a"}})
    assert operation
    operation.refresh_from_db()
    assert (operation.state, risk().provisioning_state, risk().tags) == ("Succeeded", "Succeeded", {"team": "a"})


def test_a_name_is_taken_once_unless_it_may_be_overwritten(teammate: User) -> None:
    world.endpoint(teammate)
    with pytest.raises(Conflict, match="already"):
        services.create_endpoint(teammate, document={"name": "risk"})
    assert services.create_endpoint(teammate, document={"name": "risk"}, overwrite=True) is None
    changed = services.create_endpoint(teammate, document={"name": "risk", "description": "new"}, overwrite=True)
    assert changed and changed.kind == "UpdateEndpoint"
    assert (risk().description, risk().generation) == ("new", 2)


def test_overwriting_leaves_the_split_alone(teammate: User) -> None:
    world.endpoint(teammate)
    world.deploy(teammate)
    services.set_traffic(teammate, name="risk", traffic={"blue": 100})
    services.create_endpoint(teammate, document={"name": "risk", "description": "new"}, overwrite=True)
    assert risk().traffic == {"blue": 100}


def test_traffic_cannot_come_before_its_deployment(teammate: User) -> None:
    with pytest.raises(Invalid, match="Create the deployments first"):
        services.create_endpoint(teammate, document={"name": "risk", "traffic": {"blue": 100}})
    assert not OnlineEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("traffic", "mirror", "field"),
    [
        ({"blue": 60}, None, "traffic"),
        ({"blue": 60, "green": 50}, None, "traffic"),
        ({"blue": 100, "red": 0}, None, "traffic.red"),
        ({"blue": 100}, {"blue": 10}, "mirror_traffic.blue"),
        ({"blue": 100}, {"green": 60}, "mirror_traffic.green"),
        ({"blue": 50, "green": 50}, {"blue": 5, "green": 5}, "mirror_traffic"),
    ],
)
def test_an_impossible_split_is_refused_by_field(
    teammate: User, traffic: dict[str, int], mirror: dict[str, int] | None, field: str
) -> None:
    world.endpoint(teammate)
    for name in ("blue", "green"):
        world.deploy(teammate, name=name)
    with pytest.raises(Invalid) as refused:
        services.set_traffic(teammate, name="risk", traffic=traffic, mirror_traffic=mirror)
    assert refused.value.details[0].field == field
    assert risk().traffic == {}


def test_a_split_is_replaced_whole_and_told_in_the_summary(teammate: User) -> None:
    world.endpoint(teammate)
    for name in ("blue", "green"):
        world.deploy(teammate, name=name)
    services.set_traffic(teammate, name="risk", traffic={"blue": 100})
    operation = services.set_traffic(
        teammate, name="RISK", traffic={"blue": 0, "green": 100}, mirror_traffic={"blue": 10}
    )
    assert operation and operation.summary == "Set traffic to blue=0 green=100, mirror traffic"
    assert (risk().traffic, risk().mirror_traffic) == ({"blue": 0, "green": 100}, {"blue": 10})
    assert services.set_traffic(teammate, name="risk", traffic={"blue": 0, "green": 100}) is None


def test_an_update_changes_what_is_given_and_null_returns_to_the_default(teammate: User) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "description": "d", "tags": {"a": "1"}})
    services.update_endpoint(teammate, name="risk", changes={"tags": {"b": "2"}, "description": None})
    assert (risk().tags, risk().description) == ({"b": "2"}, "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"name": "other"}, "keeps its name"), ({"colour": "red"}, "Unknown key"), ({"auth_mode": "none"}, "not in set")],
)
def test_a_wrong_update_changes_nothing(teammate: User, changes: dict[str, object], words: str) -> None:
    world.endpoint(teammate)
    with pytest.raises(Invalid, match=words):
        services.update_endpoint(teammate, name="risk", changes=changes)
    assert risk().generation == 1


def test_a_cluster_this_studio_does_not_have_is_refused(teammate: User) -> None:
    with pytest.raises(Invalid, match="No Kubernetes cluster"):
        services.create_endpoint(teammate, document={"name": "risk", "compute": "azureml:k8s"})


def test_deleting_an_endpoint_deletes_its_deployments_whatever_their_traffic(teammate: User) -> None:
    world.endpoint(teammate)
    world.deploy(teammate)
    services.set_traffic(teammate, name="risk", traffic={"blue": 100})
    operation = services.delete_endpoint(teammate, name="risk")
    assert services.delete_endpoint(teammate, name="risk") == operation
    assert risk().provisioning_state == OnlineDeployment.objects.get().provisioning_state == "Deleting"
    with pytest.raises(Conflict, match="being deleted"):
        services.create_endpoint(teammate, document={"name": "risk"}, overwrite=True)
    with pytest.raises(Conflict, match="being deleted"):
        world.deploy(teammate, name="green")


def test_there_is_room_for_so_many_endpoints(teammate: User, settings: Any) -> None:
    settings.SLIPWAY_DEFAULTS = {**settings.SLIPWAY_DEFAULTS, "endpoints": 1}
    world.endpoint(teammate)
    with pytest.raises(OutOfQuota, match="allows 1 endpoints and has 1"):
        world.endpoint(teammate, "fraud")


def test_a_reader_changes_nothing_and_a_stranger_learns_nothing(teammate: User, reader: User, stranger: User) -> None:
    world.endpoint(teammate)
    with pytest.raises(Forbidden):
        services.delete_endpoint(reader, name="risk")
    with pytest.raises(Forbidden):
        services.create_endpoint(stranger, document={"name": "fraud"})
    for name in ("risk", "none"):
        with pytest.raises(NotFound, match=f"There is no endpoint named '{name}'"):
            services.update_endpoint(stranger, name=name, changes={"description": "x"})
    assert Operation.objects.count() == 1


def test_a_role_for_one_name_may_create_that_endpoint_only(db: None) -> None:
    keeper = person("keeper", "Contributor", endpoint="risk")
    world.endpoint(keeper)
    with pytest.raises(Forbidden):
        world.endpoint(keeper, "fraud")


def test_gateway_settings_are_stored_without_defaults_and_said_again_change_nothing(teammate: User) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "gateway_settings": {"requests_per_second": 0}})
    assert risk().gateway_settings == {}
    wanted = {"gateway_settings": {"requests_per_second": 5, "cors_origins": ["*"]}}
    operation = services.update_endpoint(teammate, name="risk", changes=wanted)
    assert operation and operation.summary == "Set gateway settings"
    assert risk().gateway_settings == wanted["gateway_settings"]
    assert services.update_endpoint(teammate, name="risk", changes=wanted) is None
    services.update_endpoint(teammate, name="risk", changes={"gateway_settings": None})
    assert risk().gateway_settings == {}


def test_a_studio_may_allow_more_to_be_mirrored(teammate: User, settings: Any) -> None:
    world.endpoint(teammate)
    world.deploy(teammate)
    settings.SLIPWAY_DEFAULTS = {**settings.SLIPWAY_DEFAULTS, "mirror_percent": 80}
    services.set_traffic(teammate, name="risk", traffic={}, mirror_traffic={"blue": 80})
    with pytest.raises(Invalid, match="At most 80 percent"):
        services.set_traffic(teammate, name="risk", traffic={}, mirror_traffic={"blue": 81})
