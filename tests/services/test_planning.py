"""A plan: what would change is told, nothing is changed, and what would be refused is refused."""

from __future__ import annotations

import pytest

from endpoints import services
from endpoints.models import Instance, ModelVersion, OnlineDeployment, OnlineEndpoint, Operation
from endpoints.services.planning import Planned, plan_changes
from endpoints.spec.differences import Difference
from endpoints.spec.errors import Conflict, Forbidden, Invalid, OutOfQuota
from studio.access.models import User
from tests.people import person
from tests.services import world


@pytest.fixture
def document(teammate: User) -> dict[str, object]:
    """Of a deployment that runs as it says, with two ready instances and all the traffic."""
    world.endpoint(teammate)
    wanted = world.deployment_document(teammate, instance_count=2)
    services.create_deployment(teammate, document=wanted)
    deployment = OnlineDeployment.objects.get()
    OnlineDeployment.objects.update(observed_generation=1, observed_revision=1, ready_instances=2)
    for number in range(2):
        Instance.objects.create(id=f"blue-{number:08x}", deployment=deployment, revision=1, state="Ready")
    services.set_traffic(teammate, name="risk", traffic={"blue": 100})
    return wanted


def planned(actor: User, *documents: dict[str, object]) -> list[Planned]:
    return plan_changes(actor, documents=documents)


def test_what_is_so_already_changes_nothing(document: dict[str, object], teammate: User):
    (one,) = planned(teammate, document)
    assert (one.endpoint, one.deployment, one.action, one.changes) == ("risk", "blue", "nothing", ())


def test_a_setting_names_the_instances_that_restart_and_how_many_answer_meanwhile(
    document: dict[str, object], teammate: User
):
    (one,) = planned(teammate, {**document, "environment_variables": {"A": "b"}})
    assert one.changes == (Difference("environment_variables.A", None, "b"),)
    assert one.replaced == ("blue-00000000", "blue-00000001")
    assert (one.started, one.stopped) == (0, 0)
    assert one.effects == (
        "100 % of live requests come here; none of them is lost.",
        "1 at a time; never fewer than 2 of 2 answer.",
    )


def test_a_count_restarts_nothing_and_says_its_quota(document: dict[str, object], teammate: User):
    (one,) = planned(teammate, {**document, "instance_count": 3})
    assert (one.started, one.replaced) == (1, ())
    assert one.quota.startswith("16 of ") and one.quota.endswith("DSv2 cores")


def test_nothing_is_written(document: dict[str, object], teammate: User):
    before = (OnlineDeployment.objects.values().get(), Operation.objects.count(), ModelVersion.objects.count())
    other = world.model(teammate, b"other weights")
    changed = {**document, "instance_count": 4, "model": {"path": f"upload:{other.pk}"}}
    planned(teammate, changed, {"name": "new-one"}, {"name": "risk", "description": "new"})
    assert before == (OnlineDeployment.objects.values().get(), Operation.objects.count(), ModelVersion.objects.count())
    assert list(OnlineEndpoint.objects.values_list("name", "description")) == [("risk", "")]


def test_a_new_endpoint_and_its_deployment_are_planned_together(document: dict[str, object], teammate: User):
    first, second = planned(teammate, {"name": "fraud"}, {**document, "endpoint_name": "fraud"})
    assert (first.action, second.action, second.started) == ("create", "create", 2)


def test_a_shift_says_who_gets_how_much_and_who_is_there(document: dict[str, object], teammate: User):
    services.create_deployment(teammate, document={**document, "name": "green"})
    (one,) = planned(teammate, {"name": "risk", "traffic": {"blue": 90, "green": 10}})
    assert one.effects == (
        "blue: 100 % to 90 % of live requests (2 ready).",
        "green: 0 % to 10 % of live requests (none ready: its share would be refused).",
    )


def test_what_would_be_refused_is_refused(document: dict[str, object], teammate: User):
    with pytest.raises(OutOfQuota):
        planned(teammate, {**document, "instance_type": "Standard_DS5_v2", "instance_count": 20})
    with pytest.raises(Invalid):
        planned(teammate, {"name": "risk", "traffic": {"blue": 50}})
    with pytest.raises(Forbidden):
        planned(person("rita", "Reader"), {**document, "instance_count": 3})


def test_what_left_the_documents_is_deleted_only_when_asked_for(document: dict[str, object], teammate: User):
    services.create_deployment(teammate, document={**document, "name": "green"})
    documents: list[dict[str, object]] = [{"name": "risk"}, document]
    assert [one.action for one in plan_changes(teammate, documents=documents)] == ["nothing", "nothing"]
    *_, last = plan_changes(teammate, documents=documents, prune=True)
    assert (last.deployment, last.action, last.stopped) == ("green", "delete", 2)
    assert OnlineDeployment.objects.filter(deletion_requested_at=None).count() == 2


def test_a_deployment_with_live_traffic_is_not_pruned(document: dict[str, object], teammate: User):
    green = {**document, "name": "green"}
    with pytest.raises(Conflict, match="100 % of the live traffic"):
        plan_changes(teammate, documents=[{"name": "risk"}, green], prune=True)


def test_pruning_follows_the_split_of_the_same_documents(document: dict[str, object], teammate: User):
    wanted = {"name": "risk", "traffic": {"green": 100}}
    planned = plan_changes(teammate, documents=[wanted, {**document, "name": "green"}], prune=True)
    assert [(one.deployment, one.action) for one in planned] == [
        ("", "nothing"),
        ("green", "create"),
        ("", "update"),
        ("blue", "delete"),
    ]
    assert "green: 0 % to 100 % of live requests (once it is ready)." in planned[2].effects


def test_an_endpoint_whose_own_document_is_missing_is_not_pruned(document: dict[str, object], teammate: User):
    green = {**document, "name": "green"}
    assert [one.deployment for one in plan_changes(teammate, documents=[green], prune=True)] == ["green"]


def test_what_an_endpoints_document_says_and_nobody_keeps_is_no_change(document: dict[str, object], teammate: User):
    (one,) = plan_changes(teammate, documents=[{"name": "risk", "location": "westeurope"}])
    assert one.action == "nothing"
