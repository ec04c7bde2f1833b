"""The autoscaler's verdicts: rules, bounds, schedules, sleep, and what holds whatever the figures say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.control.autoscale import HELD, Cause, Past, Verdict, decide
from endpoints.spec.scaling_document import ScalingDocument
from endpoints.spec.scaling_policy import Policy, policy_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday
OUT = {"condition": "CpuUtilizationPercentage > 70 avg 5m", "scale": "out 2"}
IN = {"condition": "CpuUtilizationPercentage < 25 avg 5m", "scale": "in 1"}


def policy(*rules: dict[str, Any], minimum: int = 1, maximum: int = 5, **values: Any) -> Policy:
    document = {"minimum": minimum, "maximum": maximum, "rules": list(rules), **values}
    return policy_of(ScalingDocument.read(document))


def verdict(of: Policy, count: int, *values: float | None, past: Past | None = None, now: datetime = NOW) -> Verdict:
    """With `values` for the policy's questions in their order."""
    known = dict(zip(of.questions, values, strict=False))
    return decide(of, now=now, count=count, values=known, past=past or Past())


def test_a_rule_that_holds_scales_out_and_says_why() -> None:
    found = verdict(policy(OUT), 2, 83.2)
    assert (found.wanted, found.cause) == (4, Cause.RULE)
    assert found.reason == "CpuUtilizationPercentage > 70 avg 5m, and it is 83.2: out 2."


def test_the_maximum_bounds_a_rule() -> None:
    assert verdict(policy(OUT), 4, 83).wanted == 5
    assert verdict(policy(OUT), 5, 83).cause is Cause.NOTHING


def test_any_rule_outwards_wins_over_those_inwards() -> None:
    busy = {"condition": "RequestLatency > 100 p99 5m", "scale": "out 1"}
    assert verdict(policy(IN, busy), 3, 5, 400).wanted == 4


def test_scaling_in_needs_all_rules_that_do_to_agree() -> None:
    quiet = {"condition": "RequestsPerMinute < 10 avg 5m", "scale": "in 2"}
    assert verdict(policy(IN, quiet), 4, 5, 50).wanted == 4
    assert verdict(policy(IN, quiet), 4, 5, 5).wanted == 3  # by the more careful of the two
    assert verdict(policy(IN, quiet), 4, 5, None).wanted == 4  # what is not known does not agree


@pytest.mark.parametrize(("scale", "wanted"), [("out 50%", 5), ("out 1%", 4), ("to 4", 4), ("to 2", 2)])
def test_a_step_may_be_a_percentage_or_a_count(scale: str, wanted: int) -> None:
    rule = {"condition": "RequestsPerMinute > 10 avg 5m", "scale": scale}
    assert verdict(policy(rule, maximum=9), 3, 50).wanted == wanted


def test_a_cool_down_holds_a_rule_back_and_says_what_it_would() -> None:
    past = Past(changed_at=NOW - timedelta(minutes=4))
    found = verdict(policy(OUT), 2, 83, past=past)
    assert (found.wanted, found.would, found.cause) == (2, 4, Cause.COOL_DOWN)
    assert "Held back by the cool-down of 5m." in found.reason
    assert verdict(policy(OUT), 2, 83, past=Past(changed_at=NOW - timedelta(minutes=5))).wanted == 4


def test_what_would_at_once_scale_out_again_is_not_scaled_in() -> None:
    close = {"condition": "CpuUtilizationPercentage < 50 avg 5m", "scale": "in 1"}
    found = verdict(policy(OUT, close), 2, 45)
    assert (found.wanted, found.cause) == (2, Cause.FLAPPING)
    assert "with 1 it would be 90 and scale out again" in found.reason
    assert verdict(policy(OUT, {**close, "scale": "in 3"}), 5, 45).wanted == 4  # 3 would be 75, 4 is 56


def test_the_bounds_hold_before_any_rule() -> None:
    assert verdict(policy(OUT, minimum=2), 1, 5).wanted == 2
    found = verdict(policy(OUT, maximum=2), 4, 99)
    assert (found.wanted, found.cause) == (2, Cause.BOUNDS)


def test_without_any_figure_the_default_is_the_least() -> None:
    assert verdict(policy(OUT, default=3), 1, None).wanted == 3
    assert verdict(policy(OUT, default=3), 4, None).wanted == 4


WEEKEND = {"name": "weekend", "days": ["sat"], "minimum": 2, "maximum": 4, "count": 3}
SATURDAY = NOW + timedelta(days=3)


def test_a_schedule_sets_its_count_once_and_then_only_bounds() -> None:
    of = policy(schedules=[WEEKEND])
    begins = verdict(of, 2, now=SATURDAY)
    assert (begins.wanted, begins.cause, begins.entered) == (3, Cause.SCHEDULE, "weekend 2026-11-28T00:00+0000")
    later = Past(entered=begins.entered)
    assert verdict(of, 4, now=SATURDAY, past=later).wanted == 4
    assert verdict(of, 1, now=SATURDAY, past=later).wanted == 2


def test_after_a_schedule_the_policys_own_bounds_hold_again() -> None:
    found = verdict(policy(schedules=[WEEKEND], maximum=2), 3, past=Past(entered="weekend"))
    assert (found.wanted, found.entered) == (2, "")


def asleep(**values: Any) -> Policy:
    return policy(minimum=0, maximum=3, idle_timeout="10m", **values)


def test_nobody_asking_for_long_enough_puts_it_to_sleep() -> None:
    assert verdict(asleep(), 2, past=Past(idle_s=599)).wanted == 2
    found = verdict(asleep(), 2, past=Past(idle_s=600))
    assert (found.wanted, found.cause, found.reason) == (0, Cause.IDLE, "No request for 10m.")


def test_not_knowing_whether_anybody_asks_keeps_it_awake() -> None:
    assert verdict(asleep(), 2, past=Past(idle_s=None)).wanted == 2


def test_a_schedule_with_a_minimum_keeps_it_awake_and_wakes_it() -> None:
    of = asleep(schedules=[{"name": "day", "days": ["wed"], "minimum": 1, "maximum": 3}])
    assert verdict(of, 1, past=Past(idle_s=9999, entered="day 2026-11-25T00:00+0000")).wanted == 1
    assert verdict(of, 0).wanted == 1


def test_rules_neither_wake_nor_put_to_sleep() -> None:
    of = policy(OUT, {**IN, "scale": "in 5"}, minimum=0, maximum=3, idle_timeout="10m")
    assert verdict(of, 0, 99).wanted == 0
    assert verdict(of, 3, 1, 1).wanted == 1


TARGET = {"utilization_percentage": 50, "polling_interval": "10s"}


def test_a_target_scales_out_at_once_and_in_by_the_busier_stretch() -> None:
    of = policy(target=TARGET, maximum=9)
    assert verdict(of, 2, 120, 20).wanted == 5
    assert verdict(of, 5, 5, 30).wanted == 3  # 30 % of five instances, seen for long
    assert verdict(of, 5, 5, None).wanted == 5


figures = st.one_of(st.none(), st.floats(0, 200, allow_nan=False))
metrics = st.sampled_from(["CpuUtilizationPercentage", "RequestsPerMinute", "RequestLatency"])
rule_documents = st.builds(
    lambda metric, sign, at, way, step, cool: {
        "condition": f"{metric} {sign} {at} avg 5m",
        "scale": f"{way} {step}",
        "cooldown": f"{cool}m",
    },
    metrics,
    st.sampled_from("<>"),
    st.integers(0, 100),
    st.sampled_from(["out", "in", "to"]),
    st.integers(1, 6),
    st.integers(0, 10),
)


@given(
    st.lists(rule_documents, max_size=5),
    st.integers(0, 4),
    st.integers(1, 6),
    st.integers(0, 12),
    st.lists(figures, min_size=6, max_size=6),
    st.one_of(st.none(), st.integers(0, 1200)),
)
def test_whatever_the_figures_a_verdict_keeps_its_promises(
    rules: list[dict[str, Any]], low: int, span: int, count: int, values: list[float | None], ago: int | None
) -> None:
    idle = {} if low else {"idle_timeout": "10m"}
    of = policy(*rules, minimum=low, maximum=low + span, **idle)
    past = Past(changed_at=None if ago is None else NOW - timedelta(seconds=ago), idle_s=5)
    found = verdict(of, count, *values, past=past)
    assert low <= found.wanted <= low + span or found.wanted == count == 0
    assert (found.cause in HELD) <= (found.wanted == count)
    assert bool(found.reason) or found.wanted == count
    assert not count or found.wanted  # figures never put it to sleep
    if found.wanted < count <= low + span:  # nothing that holds now, or would then, asks for more
        after = {
            question: None if value is None else value for question, value in zip(of.questions, values, strict=False)
        }
        outward = [
            rule
            for rule in of.rules
            if (value := after.get(rule.condition.question)) is not None
            and rule.condition.holds(rule.condition.after(value, count, found.wanted))
        ]
        assert all(min(rule.wanted(found.wanted), low + span) <= found.wanted for rule in outward)
