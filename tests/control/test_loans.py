"""When a loan is warned of, ended and closed; and what the reconciler makes of a deployment that is stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from endpoints.control.loans import Loan, Turn, due
from endpoints.control.route_fragments import endpoint_routes
from endpoints.control.sweep import sweep
from endpoints.models import OnlineDeployment
from endpoints.spec.states import ProvisioningState
from tests.control.conftest import Studio

LENT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LOAN = Loan(lent_at=LENT, ends_at=LENT + timedelta(hours=8), is_warned=False, is_stopping=False, has_stopped=False)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("after_h", "turn"), [(0, Turn.NOTHING), (6.9, Turn.NOTHING), (7, Turn.WARN), (8, Turn.STOP), (900, Turn.STOP)]
)
def test_a_loan_is_warned_of_and_then_ended(after_h: float, turn: Turn):
    assert due(LOAN, LENT + timedelta(hours=after_h), warning=HOUR) is turn


def test_one_warning_is_enough_and_none_may_be_wanted():
    nearly = LENT + timedelta(hours=7.5)
    assert due(replace(LOAN, is_warned=True), nearly, warning=HOUR) is Turn.NOTHING
    assert due(LOAN, nearly, warning=timedelta()) is Turn.NOTHING


def test_a_short_loan_is_warned_of_at_half_time():
    short = replace(LOAN, ends_at=LENT + HOUR)
    assert due(short, LENT + timedelta(minutes=29), warning=HOUR) is Turn.NOTHING
    assert due(short, LENT + timedelta(minutes=30), warning=HOUR) is Turn.WARN


def test_the_cores_are_free_when_no_instance_is_left():
    late = LENT + timedelta(hours=9)
    assert due(replace(LOAN, is_stopping=True), late, warning=HOUR) is Turn.NOTHING
    assert due(replace(LOAN, is_stopping=True, has_stopped=True), late, warning=HOUR) is Turn.CLOSE


def stop(studio: Studio, name: str = "blue") -> OnlineDeployment:
    deployment = studio.endpoint().deployments.get(name=name)
    studio.change(deployment, stopped_at=studio.clock.now(), stop_reason="stopped: its loan ended.")
    return studio.reconcile(deployment)


def test_a_stopped_deployment_drains_and_keeps_its_record(studio: Studio):
    studio.reconcile(studio.deployment(count=3))
    blue = stop(studio)
    assert (blue.provisioning_state, blue.shown_state) == (ProvisioningState.SUCCEEDED, "Stopped")
    assert (blue.ready_instances, blue.instance_count, blue.observed_revision) == (0, 3, 1)
    assert {instance.state for instance in studio.instances(blue)} == {"Stopped"}
    assert all(instance.draining_at for instance in studio.instances(blue))
    assert studio.newest_operation(blue).state == "Succeeded"


def test_the_sweep_leaves_a_stopped_deployment_alone(studio: Studio):
    studio.reconcile(studio.deployment(count=2))
    stop(studio)
    studio.woken.clear()
    sweep(clock=studio.clock)
    assert studio.woken == []


def test_one_that_never_ran_is_not_taken_for_proven_when_it_is_stopped(studio: Studio):
    studio.deployment()
    blue = stop(studio)
    assert (blue.observed_revision, blue.shown_state, studio.instances(blue)) == (0, "Stopped", [])


def test_it_runs_again_when_it_is_started(studio: Studio):
    studio.reconcile(studio.deployment(count=2))
    blue = stop(studio)
    studio.change(blue, stopped_at=None, stop_reason="")
    blue = studio.reconcile(blue)
    assert (blue.ready_instances, blue.shown_state) == (2, "Succeeded")


def test_the_share_of_a_stopped_deployment_goes_to_the_others(studio: Studio):
    for name in ("blue", "green", "red"):
        studio.reconcile(studio.deployment(name))
    endpoint = studio.endpoint()
    endpoint.traffic = {"blue": 60, "green": 30, "red": 10}
    endpoint.save()
    stop(studio, "red")
    [route] = endpoint_routes(["house"])
    assert route.traffic == {"blue": 60, "green": 30}
    assert endpoint.traffic["red"] == 10


def test_callers_are_told_where_nobody_else_has_a_share(studio: Studio):
    studio.reconcile(studio.deployment())
    endpoint = studio.endpoint()
    endpoint.traffic = {"blue": 100}
    endpoint.save()
    stop(studio)
    [route] = endpoint_routes(["house"])
    assert route.traffic == {"blue": 100}
    assert route.deployments["blue"].stopped == "stopped: its loan ended."
