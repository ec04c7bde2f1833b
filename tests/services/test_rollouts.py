"""Rollouts by hand: what can be started, paused, promoted and taken back, and by whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation, Rollout
from endpoints.spec.errors import Conflict, Forbidden, Invalid, NotFound
from studio.access.models import AuditRecord, User
from tests.services import rollouts as scene


def test_the_first_stage_has_its_share_at_once(teammate: User) -> None:
    scene.two_deployments(teammate)
    rollout = scene.start(teammate)
    assert scene.traffic() == {"blue": 90, "green": 10}
    assert (rollout.number, rollout.state, rollout.split_before) == (1, "Running", {"blue": 100, "green": 0})
    assert [stage.state for stage in rollout.stages.all()] == ["Running", "Pending"]


def test_only_one_rollout_of_an_endpoint_is_under_way(teammate: User) -> None:
    scene.two_deployments(teammate)
    scene.start(teammate)
    with pytest.raises(Conflict, match="is under way"):
        scene.start(teammate)
    assert Rollout.objects.count() == 1


def test_a_reader_starts_and_stops_nothing(teammate: User, reader: User) -> None:
    scene.two_deployments(teammate)
    with pytest.raises(Forbidden):
        scene.start(reader)
    scene.start(teammate)
    for verb in (services.pause_rollout, services.promote_rollout, services.abort_rollout):
        with pytest.raises(Forbidden):
            verb(reader, endpoint="risk")
    assert scene.traffic() == {"blue": 90, "green": 10}


def test_a_stranger_does_not_learn_that_there_is_an_endpoint(teammate: User, stranger: User) -> None:
    scene.two_deployments(teammate)
    with pytest.raises(NotFound):
        scene.start(stranger)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": "red"}, "to_deployment"),
        ({"gates": [{"metric": "beauty", "max": 1}]}, "gates[0].metric"),
        ({"gates": [{"metric": "ConnectionsActive", "max": 1}]}, "gates[0].metric"),
        ({"stages": [{"percent": 50, "seconds": 5}], "finish": {"old": "delete", "after_seconds": 60}}, "finish.old"),
    ],
)
def test_what_cannot_be_is_refused_by_field(teammate: User, changes: dict[str, object], field: str) -> None:
    scene.two_deployments(teammate)
    with pytest.raises(Invalid) as refused:
        scene.start(teammate, **changes)
    assert refused.value.details[0].field == field
    assert scene.traffic() == {"blue": 100}


def test_a_deployment_that_is_not_ready_takes_no_traffic(teammate: User) -> None:
    scene.two_deployments(teammate)
    OnlineDeployment.objects.filter(name="green").update(ready_instances=0)
    with pytest.raises(Conflict, match="0 of 1 instances ready"):
        scene.start(teammate)


def test_an_old_deployment_without_traffic_has_nothing_to_give(teammate: User) -> None:
    scene.two_deployments(teammate)
    services.set_traffic(teammate, name="risk", traffic={"green": 100})
    with pytest.raises(Conflict, match="receives no traffic"):
        scene.start(teammate)


def test_a_shadow_is_not_made_live_by_a_rollout(teammate: User) -> None:
    scene.two_deployments(teammate)
    services.set_traffic(teammate, name="risk", traffic={"blue": 100}, mirror_traffic={"green": 10})
    with pytest.raises(Conflict, match="mirrored to 'green'"):
        scene.start(teammate)


def test_abort_sets_the_split_that_stood_before(teammate: User) -> None:
    scene.two_deployments(teammate)
    scene.start(teammate)
    rollout = services.abort_rollout(teammate, endpoint="risk", now=scene.at(3))
    assert scene.traffic() == {"blue": 100}
    assert (rollout.state, rollout.reason, rollout.text) == ("RolledBack", "Aborted", "Aborted by tariq.")
    with pytest.raises(Conflict, match="is over"):
        services.abort_rollout(teammate, endpoint="risk")


def test_promote_goes_on_to_the_next_stage_and_then_to_the_end(teammate: User) -> None:
    scene.two_deployments(teammate)
    scene.start(teammate)
    assert services.promote_rollout(teammate, endpoint="risk", now=scene.at(1)).stage == 1
    assert scene.traffic() == {"green": 100}
    assert services.promote_rollout(teammate, endpoint="risk", now=scene.at(2)).state == "Succeeded"


def test_a_pause_does_not_count_as_time_of_the_stage(teammate: User) -> None:
    scene.two_deployments(teammate)
    rollout = scene.start(teammate)
    services.pause_rollout(teammate, endpoint="risk", now=scene.at(10))
    services.resume_rollout(teammate, endpoint="risk", now=scene.at(60))
    scene.both_answer(70)
    assert scene.turn(rollout, 70).text == "Waiting: 20 of 30 s."
    scene.both_answer(80)
    scene.turn(rollout, 80)
    assert rollout.stage == 1


def test_the_studio_moves_the_split_in_its_own_name_and_says_for_whom(teammate: User) -> None:
    scene.two_deployments(teammate)
    scene.start(teammate)
    operation = Operation.objects.filter(kind="UpdateEndpoint").order_by("-created_at").first()
    assert operation and operation.created_by is None
    assert operation.summary == "Rollout 1 of tariq: set traffic to blue=90 green=10"
    record = AuditRecord.objects.get(summary=operation.summary)
    assert (record.actor, record.after) == ("", {"traffic": {"blue": 90, "green": 10}})


def test_a_split_says_since_when_it_stands(teammate: User) -> None:
    endpoint = scene.two_deployments(teammate)
    before = endpoint.traffic_since
    services.update_endpoint(teammate, name="risk", changes={"description": "new"})
    assert OnlineEndpoint.objects.get().traffic_since == before
    services.set_traffic(teammate, name="risk", traffic={"green": 100})
    after = OnlineEndpoint.objects.get().traffic_since
    assert before and after and after - before > timedelta(0)
