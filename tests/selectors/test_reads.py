"""Reads: what is fetched, for whom, and in how many queries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest

from endpoints import selectors, services
from endpoints.models import EnvironmentBuild, Instance, OnlineDeployment, OnlineEndpoint
from endpoints.spec.errors import Forbidden, NotFound
from studio.access.models import User
from tests.people import person
from tests.services import world

Queries = Callable[[int], AbstractContextManager[Any]]


@pytest.fixture
def two(owner: User) -> None:
    """Endpoints risk (with blue) and fraud (with nothing)."""
    world.endpoint(owner)
    world.endpoint(owner, "fraud")
    world.deploy(owner)


def test_a_list_holds_what_may_be_read_with_its_sums(two: None, reader: User) -> None:
    rows = {row.name: row for row in selectors.endpoints_for(reader)}
    assert list(rows) == ["fraud", "risk"]
    assert (rows["risk"].deployment_count, rows["risk"].wanted_instances, rows["risk"].ready_total) == (1, 1, 0)  # type: ignore[attr-defined]


def test_a_role_on_one_endpoint_shows_that_one(two: None) -> None:
    guest = person("guest", "Reader", endpoint="risk")
    assert [row.name for row in selectors.endpoints_for(guest)] == ["risk"]
    assert {operation.endpoint_name for operation in selectors.operations_for(guest)} == {"risk"}
    with pytest.raises(NotFound, match="There is no endpoint named 'fraud'"):
        selectors.get_endpoint(guest, "fraud")


def test_lists_cost_the_same_however_long_they_are(owner: User, django_assert_num_queries: Queries) -> None:
    for number in range(5):
        world.endpoint(owner, f"risk-{number}")
        for name in ("blue", "green"):
            world.deploy(owner, endpoint_name=f"risk-{number}", name=name)
    with django_assert_num_queries(3):  # grants, endpoints, deployments
        assert [len(row.deployments.all()) for row in selectors.endpoints_for(owner)] == [2] * 5
    with django_assert_num_queries(4):  # grants, endpoint, deployments, revisions with assets
        for row in selectors.deployments_of(owner, "risk-1"):
            assert selectors.revision_now(row).model_version.model.name  # type: ignore[union-attr]
    with django_assert_num_queries(3):  # grants, operations, steps
        assert sum(len(row.steps.all()) for row in selectors.operations_for(owner)) == 50


def test_names_ignore_case(two: None, reader: User) -> None:
    assert selectors.get_deployment(reader, "RISK", "Blue").name == "blue"


def test_instances_that_ended_are_shown_when_asked_for(two: None, reader: User) -> None:
    blue = OnlineDeployment.objects.get()
    Instance.objects.create(id="blue-1", deployment=blue, revision=1)
    Instance.objects.create(id="blue-0", deployment=blue, revision=1, ended_at=blue.created_at)
    assert [row.pk for row in selectors.instances_of(reader, blue)] == ["blue-1"]
    assert len(selectors.instances_of(reader, blue, include_ended=True)) == 2


def test_who_uses_an_asset(two: None, reader: User) -> None:
    version = selectors.current_revision(reader, OnlineDeployment.objects.get()).model_version
    assert version
    assert [row.name for row in selectors.deployments_using(reader, model_name=version.model.name)] == ["blue"]
    assert not selectors.deployments_using(reader, model_name="another")


def test_the_newest_version_stands_for_its_model(owner: User) -> None:
    for content in (b"1", b"2"):
        services.register_model(owner, name="forest", upload=world.model(owner, content))
    (row,) = selectors.models_for(owner)
    assert (row.version, row.version_count) == ("2", 2)  # type: ignore[attr-defined]


def test_inline_assets_are_kept_out_of_lists(two: None, reader: User) -> None:
    assert not selectors.models_for(reader)
    assert not selectors.environments_for(reader)
    assert len(selectors.models_for(reader, include_anonymous=True)) == 1


def test_environments_come_with_the_state_of_their_build(owner: User) -> None:
    row = services.register_environment(owner, name="scoring", requirements="joblib")
    assert selectors.environments_for(owner)[0].build_state is None  # type: ignore[attr-defined]
    EnvironmentBuild.objects.create(key=row.build_key, state="Building")
    assert selectors.environments_for(owner)[0].build_state == "Building"  # type: ignore[attr-defined]
    build = selectors.build_of(owner, row)
    assert build and build.state == "Building"


def test_an_unknown_version_is_told_with_those_there_are(owner: User) -> None:
    services.register_model(owner, name="forest", upload=world.model(owner))
    with pytest.raises(NotFound, match=r"no version '9'\. Its newest versions: 1"):
        selectors.get_model_version(owner, "forest", "9")


def test_an_operation_is_followed_by_its_author_and_by_readers(two: None, reader: User, stranger: User) -> None:
    operation = selectors.operations_for(reader, "risk", "blue")[0]
    assert selectors.get_operation(reader, str(operation.pk)).pk == operation.pk
    for unknown in (operation.pk, uuid4(), "nonsense"):
        with pytest.raises(NotFound):
            selectors.get_operation(stranger, unknown)


def test_addresses_are_the_gateways(two: None, settings: Any) -> None:
    endpoint = OnlineEndpoint.objects.get(name="risk")
    settings.SLIPWAY_GATEWAY_URL = "http://models:8080"
    assert selectors.scoring_uri(endpoint) == "http://models:8080/risk/score"
    assert selectors.openapi_uri(endpoint) == "http://models:8080/risk/swagger.json"
    settings.SLIPWAY_GATEWAY_DOMAIN = "ml.example"
    assert selectors.openapi_uri(endpoint) == "http://risk.ml.example:8080/swagger.json"


def test_a_stranger_is_refused_everywhere_in_the_same_words_for_what_is_there_and_what_is_not(
    two: None, stranger: User
) -> None:
    blue = OnlineDeployment.objects.get()
    for refused in (
        lambda: selectors.endpoints_for(stranger),
        lambda: selectors.operations_for(stranger),
        lambda: selectors.models_for(stranger),
        lambda: selectors.environments_for(stranger),
        lambda: selectors.get_model_version(stranger, "forest"),
        lambda: selectors.get_environment_version(stranger, "scoring"),
        lambda: selectors.instance_types(stranger),
        lambda: selectors.quota_usage(stranger),
    ):
        with pytest.raises(Forbidden):
            refused()
    for hidden in (
        lambda: selectors.get_endpoint(stranger, "risk"),
        lambda: selectors.deployments_of(stranger, "risk"),
        lambda: selectors.get_deployment(stranger, "risk", "blue"),
        lambda: selectors.operations_for(stranger, "risk"),
        lambda: selectors.instances_of(stranger, blue),
        lambda: selectors.revisions_of(stranger, blue),
        lambda: selectors.log_sources(stranger, blue),
    ):
        with pytest.raises(NotFound):
            hidden()
