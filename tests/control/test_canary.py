"""A rollout's next step, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from endpoints.control.canary import (
    Facts,
    Gate,
    Plan,
    Reason,
    Side,
    Sight,
    Stage,
    Standing,
    Step,
    Verdict,
    decide,
    is_same_split,
    judge,
    split_at,
)

ERRORS = Gate("ErrorPercentage", max=1.0)
PLAN = Plan((Stage(10, seconds=60), Stage(50, requests=500)), (ERRORS,), min_requests=20, timeout_s=300)
DUE = Standing(0, 60.0)


def side(requests: int = 100, errors: float | None = 0.0, **values: float | None) -> Side:
    return Side(requests, {"ErrorPercentage": errors, **values})


def facts(new: Side | None = None, old: Side | None = None, **others: object) -> Facts:
    sight = Sight(new or side(), old or side())
    return replace(Facts(sight, sight), **others)  # type: ignore[arg-type]


def test_a_stage_is_passed_when_its_time_is_over_and_every_gate_holds() -> None:
    assert decide(PLAN, Standing(0, 59.9), facts()).step is Step.WAIT
    assert decide(PLAN, DUE, facts()).step is Step.NEXT


def test_a_stage_with_a_count_waits_for_its_requests() -> None:
    decision = decide(PLAN, Standing(1, 60), facts(side(499)))
    assert (decision.step, decision.text) == (
        Step.WAIT,
        "Waiting: the new deployment answered 499 of 500 requests.",
    )
    assert decide(PLAN, Standing(1, 60), facts(side(500))).step is Step.FINISH


def test_a_broken_gate_goes_back_at_once_and_says_what_broke() -> None:
    decision = decide(PLAN, Standing(0, 1.0), facts(side(errors=25.0)))
    assert (decision.step, decision.reason) == (Step.BACK, Reason.GATE_BROKEN)
    assert decision.text == "ErrorPercentage was 25, above the limit of 1."


def test_nothing_is_judged_by_too_few_requests() -> None:
    decision = decide(PLAN, DUE, facts(side(19, errors=100.0)))
    assert (decision.step, decision.judgements[0].verdict) == (Step.WAIT, Verdict.UNKNOWN)


def test_where_the_window_is_too_thin_the_whole_stage_is_judged() -> None:
    thin = Facts(recent=Sight(side(3), side(3)), whole=Sight(side(40, errors=10.0), side()))
    decision = decide(PLAN, Standing(0, 30), thin)
    assert decision.step is Step.BACK
    assert decision.broken and not decision.broken.is_recent


def test_no_data_is_not_good() -> None:
    assert decide(PLAN, DUE, facts(side(0, errors=None))).step is Step.WAIT
    assert decide(PLAN, DUE, facts(side(errors=None))).step is Step.WAIT
    assert decide(PLAN, DUE, facts(is_fresh=False)).step is Step.WAIT


def test_a_stage_that_cannot_be_judged_in_time_goes_back_and_says_why() -> None:
    decision = decide(PLAN, Standing(0, 300), facts(side(7)))
    assert (decision.step, decision.reason) == (Step.BACK, Reason.TIMED_OUT)
    assert "could not be passed in 300 s: the new deployment answered 7 of 20 requests" in decision.text


def test_a_pause_holds_the_stage_but_not_the_gates() -> None:
    paused = Standing(0, 600.0, is_paused=True)
    assert decide(PLAN, paused, facts()).step is Step.WAIT
    assert decide(PLAN, paused, facts(side(errors=2.0))).step is Step.BACK


def test_a_new_deployment_that_does_not_serve_is_a_breach() -> None:
    decision = decide(PLAN, Standing(0, 1), facts(trouble="green has lost all of its instances."))
    assert (decision.step, decision.reason) == (Step.BACK, Reason.DEPLOYMENT_FAILED)


@pytest.mark.parametrize("more", [{"gone": "olga did it"}, {"foreign": "olga did it"}])
def test_what_people_do_by_hand_ends_it_and_is_left_alone(more: dict[str, Any]) -> None:
    decision = decide(PLAN, DUE, facts(side(errors=50.0), **more))
    assert (decision.step, decision.text) == (Step.END, "olga did it")


# Gates against the old deployment ----------------------------------------------------------------------------


def test_a_ratio_is_taken_of_the_old_one_in_the_same_window() -> None:
    gate = Gate("RequestLatency_P99", max_ratio=1.5)
    slow = facts(side(RequestLatency_P99=31.0), side(RequestLatency_P99=20.0))
    found = judge(gate, 20, slow)
    assert (found.verdict, found.limit, found.bound) == (Verdict.BROKEN, 30.0, "max_ratio")
    assert judge(gate, 20, facts(side(RequestLatency_P99=30.0), side(RequestLatency_P99=20.0))).verdict is Verdict.HOLDS


def test_an_old_one_without_requests_is_remembered_as_it_was() -> None:
    gate = Gate("RequestLatency_P99", max_increase=5.0)
    alone = facts(side(RequestLatency_P99=26.0), side(0), baseline={"RequestLatency_P99": 20.0})
    assert judge(gate, 20, alone).verdict is Verdict.BROKEN
    assert judge(gate, 20, replace(alone, baseline={})).verdict is Verdict.UNKNOWN


def test_an_absolute_bound_is_kept_even_where_the_relative_one_cannot_be_judged() -> None:
    gate = Gate("RequestLatency_P99", max=25.0, max_ratio=1.5)
    assert judge(gate, 20, facts(side(RequestLatency_P99=26.0), side(0))).verdict is Verdict.BROKEN
    assert judge(gate, 20, facts(side(RequestLatency_P99=24.0), side(0))).verdict is Verdict.UNKNOWN


def test_a_least_value_can_be_asked_for_too() -> None:
    gate = Gate("RequestsPerMinute", min=30.0)
    found = judge(gate, 20, facts(side(RequestsPerMinute=12.0)))
    assert (found.verdict, found.bound) == (Verdict.BROKEN, "min")


# Splits ------------------------------------------------------------------------------------------------------


def test_only_the_two_deployments_change_their_shares() -> None:
    before = {"blue": 60, "red": 40}
    assert split_at(before, "blue", "green", 10) == {"blue": 50, "red": 40, "green": 10}
    with pytest.raises(ValueError, match="60 % together"):
        split_at(before, "blue", "green", 61)


def test_no_share_and_no_entry_are_the_same() -> None:
    assert is_same_split({"blue": 100, "green": 0}, {"blue": 100})
    assert not is_same_split({"blue": 90, "green": 10}, {"blue": 100})
