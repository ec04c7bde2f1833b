"""Turns of a rollout: promoted while gates hold, taken back on a breach, ended by what people do."""

from __future__ import annotations

import pytest

from endpoints import services
from endpoints.models import Instance, OnlineDeployment, OnlineEndpoint, Rollout, TrafficRollup
from endpoints.services.rollout_turns import take_turns
from studio.access.models import RoleAssignment, User
from tests.services import rollouts as scene


@pytest.fixture
def rollout(teammate: User) -> Rollout:
    scene.two_deployments(teammate)
    return scene.start(teammate)


def test_stages_pass_one_after_the_other_while_gates_hold(rollout: Rollout) -> None:
    scene.both_answer(25)
    scene.turn(rollout, 26)
    assert (rollout.stage, rollout.text) == (0, "Waiting: 26 of 30 s.")
    scene.turn(rollout, 30)
    assert (rollout.stage, scene.traffic()) == (1, {"green": 100})
    scene.count_requests("green", 35, *[10.0] * 40)
    scene.turn(rollout, 36)
    assert (rollout.state, scene.traffic()) == ("Succeeded", {"green": 100})
    assert [stage.state for stage in rollout.stages.all()] == ["Succeeded", "Succeeded"]


def test_a_breach_returns_to_the_old_split_and_keeps_the_evidence(rollout: Rollout) -> None:
    scene.both_answer(4, bad=8)
    scene.turn(rollout, 5)
    assert (rollout.state, rollout.reason, scene.traffic()) == ("RolledBack", "GateBroken", {"blue": 100})
    assert rollout.evidence
    broken, window = rollout.evidence["broken"], rollout.evidence["window"]
    assert (broken["metric"], broken["value"], broken["limit"]) == ("ErrorPercentage", 40.0, 5.0)
    assert (window["new"]["requests"], window["old"]["requests"]) == (20, 20)
    assert window["new"]["codes"] == {"200": 12, "424": 8}
    figures = rollout.stages.get(number=0).figures
    assert figures and [line["deployment"] for line in figures["chart"]["lines"]] == ["blue", "blue", "green", "green"]


def test_a_slower_version_breaks_the_gate_against_the_old_one(rollout: Rollout) -> None:
    scene.both_answer(4, new_ms=35.0)
    scene.turn(rollout, 5)
    assert rollout.evidence
    broken = rollout.evidence["broken"]
    assert (broken["metric"], broken["bound"], rollout.state) == ("RequestLatency_P99", "max_ratio", "RolledBack")
    assert broken["value"] > broken["limit"] > broken["old_value"]


def test_a_breach_after_the_old_one_lost_its_traffic_is_judged_by_what_it_was(rollout: Rollout) -> None:
    scene.both_answer(25)
    scene.turn(rollout, 26)
    scene.turn(rollout, 30)
    scene.count_requests("green", 50, *[35.0] * 20)
    scene.turn(rollout, 51)
    assert (rollout.state, scene.traffic()) == ("RolledBack", {"blue": 100})


def test_a_breach_while_paused_goes_back_too(rollout: Rollout, teammate: User) -> None:
    services.pause_rollout(teammate, endpoint="risk", now=scene.at(2))
    scene.both_answer(4, bad=8)
    scene.turn(rollout, 5)
    assert (rollout.state, scene.traffic()) == ("RolledBack", {"blue": 100})


def test_without_requests_it_waits_and_then_goes_back(rollout: Rollout) -> None:
    scene.turn(rollout, 60)
    assert rollout.text == "Waiting: the new deployment answered 0 of 10 requests."
    scene.turn(rollout, 120)
    assert (rollout.state, rollout.reason, scene.traffic()) == ("RolledBack", "TimedOut", {"blue": 100})


def test_old_counters_promote_nothing(rollout: Rollout) -> None:
    scene.both_answer(15)
    scene.turn(rollout, 31)
    assert rollout.text == "Waiting: no counters have come from the gateways lately."


@pytest.mark.parametrize("columns", [{"ready_instances": 0}, {"failure": {"code": "X", "message": "init() raised"}}])
def test_a_new_deployment_that_fails_is_a_breach(rollout: Rollout, columns: dict[str, object]) -> None:
    OnlineDeployment.objects.filter(name="green").update(**columns)
    scene.turn(rollout, 5)
    assert (rollout.state, rollout.reason, scene.traffic()) == ("RolledBack", "DeploymentFailed", {"blue": 100})


@pytest.mark.parametrize("columns", [{"instance_count": 0}, {"generation": 2}])
def test_one_that_sleeps_or_wakes_up_has_not_lost_its_instances(rollout: Rollout, columns: dict[str, object]) -> None:
    OnlineDeployment.objects.filter(name="green").update(ready_instances=0, **columns)
    scene.turn(rollout, 5)
    assert rollout.state == "Running"


def test_an_instance_of_the_new_deployment_that_dies_is_a_breach(rollout: Rollout) -> None:
    green = OnlineDeployment.objects.get(name="green")
    Instance.objects.create(
        id="green-1", deployment=green, revision=1, state="Failed", ended_at=scene.at(3), reason="exit code 137"
    )
    scene.turn(rollout, 5)
    assert rollout.text == "green lost the instance green-1: exit code 137"
    assert scene.traffic() == {"blue": 100}


def test_traffic_set_by_hand_ends_the_rollout_and_stays(rollout: Rollout, owner: User) -> None:
    services.set_traffic(owner, name="risk", traffic={"blue": 40, "green": 60})
    scene.both_answer(4, bad=8)
    scene.turn(rollout, 5)
    assert (rollout.state, rollout.reason) == ("Ended", "TrafficChanged")
    assert rollout.text == "The traffic was set to blue=40 green=60 by olga; it stays so."
    assert scene.traffic() == {"blue": 40, "green": 60}


def test_a_deployment_deleted_by_hand_ends_the_rollout(rollout: Rollout, teammate: User) -> None:
    services.promote_rollout(teammate, endpoint="risk", now=scene.at(1))
    services.delete_deployment(teammate, endpoint="risk", name="blue")
    scene.turn(rollout, 5)
    assert (rollout.state, rollout.reason) == ("Ended", "DeploymentGone")
    assert scene.traffic() == {"green": 100}


def test_nobody_is_promoted_for_who_may_not_change_the_traffic_any_more(rollout: Rollout) -> None:
    RoleAssignment.objects.all().delete()
    scene.both_answer(25)
    scene.turn(rollout, 30)
    assert (rollout.state, rollout.reason, scene.traffic()) == ("RolledBack", "NotPossible", {"blue": 100})


def test_the_old_one_is_deleted_after_the_bake_where_that_was_asked_for(teammate: User) -> None:
    scene.two_deployments(teammate)
    finish = {"old": "delete", "after_seconds": 20}
    rollout = scene.start(teammate, stages=[{"percent": 100, "seconds": 10}], finish=finish)
    scene.both_answer(9)
    scene.turn(rollout, 10)
    assert (rollout.state, rollout.stage) == ("Running", 1)
    scene.count_requests("green", 29, *[10.0] * 20)
    scene.turn(rollout, 30)
    assert (rollout.state, rollout.text) == (
        "Succeeded",
        "Every stage passed with every gate holding. blue is being deleted.",
    )
    assert OnlineDeployment.objects.get(name="blue").deletion_requested_at


def test_a_breach_during_the_bake_still_has_a_way_back(teammate: User) -> None:
    scene.two_deployments(teammate)
    finish = {"old": "delete", "after_seconds": 20}
    rollout = scene.start(teammate, stages=[{"percent": 100, "seconds": 10}], finish=finish)
    scene.both_answer(9)
    scene.turn(rollout, 10)
    scene.both_answer(15, bad=9)
    scene.turn(rollout, 16)
    assert (rollout.state, scene.traffic()) == ("RolledBack", {"blue": 100})
    assert not OnlineDeployment.objects.get(name="blue").deletion_requested_at


def test_only_an_endpoint_with_a_rollout_is_kept_by_the_second(rollout: Rollout, teammate: User) -> None:
    scene.count_requests("blue", 3, 10.0)
    scene.count_requests("blue", 3, 10.0, endpoint="other")
    assert list(TrafficRollup.objects.filter(grain_s=1).values_list("endpoint", flat=True)) == ["risk"]
    services.abort_rollout(teammate, endpoint="risk")
    scene.count_requests("blue", 4, 10.0)
    assert TrafficRollup.objects.filter(grain_s=1).count() == 1


def test_what_was_counted_before_the_stage_is_not_held_against_it(teammate: User) -> None:
    scene.two_deployments(teammate)
    scene.both_answer(-3, bad=20)
    rollout = scene.start(teammate)
    scene.both_answer(4)
    take_turns(now=scene.at(5))
    rollout.refresh_from_db()
    assert (rollout.state, OnlineEndpoint.objects.get().traffic["green"]) == ("Running", 10)
