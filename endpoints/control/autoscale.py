"""How many instances there should be, and why. Pure: policy, numbers and clock in, a verdict out; it changes nothing.

Any rule that scales out wins; scaling in needs all that do to agree, and what would at once scale out again is left.
Falling asleep is decided here too; waking up is not: a request, a schedule or a person does that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from endpoints.spec import durations
from endpoints.spec.scaling_policy import Bounds, Policy, Target
from endpoints.spec.scaling_rules import Condition, Question, Rule

Values = Mapping[Question, float | None]


class Cause(StrEnum):
    """What a verdict rests on."""

    NOTHING = "nothing"  # all is as it should be
    BOUNDS = "bounds"  # below the minimum, or above the maximum
    SCHEDULE = "schedule"
    RULE = "rule"
    TARGET = "target"
    IDLE = "idle"
    NO_FIGURES = "no figures"
    COOL_DOWN = "cool-down"  # it would, but not yet
    FLAPPING = "flapping"  # it would, but had to take it back at once
    WAKE = "wake"  # a request came, or a person asked
    BY_HAND = "by hand"
    QUOTA = "quota"  # it would, and there is no room


HELD = frozenset({Cause.COOL_DOWN, Cause.FLAPPING})
# A change for one of these starts the cool-downs; waking, sleeping and hands do not.
STARTS_COOL_DOWN = frozenset({Cause.RULE, Cause.TARGET, Cause.SCHEDULE, Cause.BOUNDS})


@dataclass(frozen=True, slots=True)
class Past:
    """changed_at: the last change that starts cool-downs. entered: the schedule's stretch that was entered last, "" for
    none. idle_s: how long nobody has asked anything, None where that is not known."""

    changed_at: datetime | None = None
    entered: str = ""
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """wanted: how many instances, `count` where nothing should change. would: what a held-back verdict wanted."""

    wanted: int
    cause: Cause
    reason: str = ""
    would: int = 0
    entered: str = ""


def decide(policy: Policy, *, now: datetime, count: int, values: Values, past: Past) -> Verdict:
    """The verdict on a deployment that has `count` instances and no change under way."""
    bounds, schedule = policy.active(now)
    began = schedule.began_at(now) if schedule else None
    entered = f"{schedule.name} {began:%Y-%m-%dT%H:%M%z}" if schedule and began else ""
    verdict = _asleep(bounds, count) if not count else None
    if verdict is None and schedule and entered != past.entered and bounds.default != count:
        reason = f"The schedule {schedule.name} began: {bounds.default} of {bounds.minimum} to {bounds.maximum}."
        verdict = Verdict(bounds.default, Cause.SCHEDULE, reason)
    verdict = verdict or _within(bounds, count, schedule.name if schedule else "")
    verdict = verdict or _idle(policy, bounds, count, past)
    verdict = verdict or _by_figures(policy, bounds, count=count, values=values, past=past, now=now)
    return Verdict(verdict.wanted, verdict.cause, verdict.reason, verdict.would, entered)


def _asleep(bounds: Bounds, count: int) -> Verdict:
    if bounds.minimum:
        return Verdict(bounds.minimum, Cause.BOUNDS, f"The minimum is {bounds.minimum}, and it is asleep.")
    return Verdict(count, Cause.NOTHING)


def _within(bounds: Bounds, count: int, schedule: str) -> Verdict | None:
    whose = f" of the schedule {schedule}" if schedule else ""
    if count < bounds.minimum:
        return Verdict(bounds.minimum, Cause.BOUNDS, f"{count} is below the minimum{whose}, {bounds.minimum}.")
    if count > bounds.maximum:
        return Verdict(bounds.maximum, Cause.BOUNDS, f"{count} is above the maximum{whose}, {bounds.maximum}.")
    return None


def _idle(policy: Policy, bounds: Bounds, count: int, past: Past) -> Verdict | None:
    if policy.idle_timeout_s is None or bounds.minimum or not count or past.idle_s is None:
        return None
    if past.idle_s < policy.idle_timeout_s:
        return None
    return Verdict(0, Cause.IDLE, f"No request for {durations.text_of(policy.idle_timeout_s)}.")


def _by_figures(policy: Policy, bounds: Bounds, *, count: int, values: Values, past: Past, now: datetime) -> Verdict:
    asked = policy.questions
    if not asked:
        return Verdict(count, Cause.NOTHING)
    if all(values.get(question) is None for question in asked):
        if count < bounds.default:
            return Verdict(bounds.default, Cause.NO_FIGURES, f"No metric is known: the default is {bounds.default}.")
        return Verdict(count, Cause.NOTHING)
    # Rules never put it to sleep: that is for being idle.
    floor = max(1, bounds.minimum)
    room = Bounds(min(floor, bounds.maximum), bounds.maximum, bounds.default)
    look = _Look(policy, room, count, values, past.changed_at, now)
    return look.outwards() or look.inwards() or Verdict(count, Cause.NOTHING)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the figures."""

    policy: Policy
    room: Bounds
    count: int
    values: Values
    changed_at: datetime | None
    now: datetime

    def outwards(self) -> Verdict | None:
        """The largest count any rule wants, of those whose cool-down is over; held back where none's is."""
        wishes = [(self.room.clamp(rule.wanted(self.count)), rule) for rule in self._holding()]
        wishes = [wish for wish in wishes if wish[0] > self.count]
        ripe = [wish for wish in wishes if not self._waits(wish[1])]
        if (target := self._target_out()) and target.wanted > max((wish[0] for wish in ripe), default=0):
            return target
        if ripe:
            wanted, rule = max(ripe, key=lambda wish: wish[0])
            return Verdict(wanted, Cause.RULE, self._said(rule))
        if wishes:
            wanted, rule = max(wishes, key=lambda wish: wish[0])
            return self._held_back(wanted, rule)
        return None

    def inwards(self) -> Verdict | None:
        """Only if all rules that scale in agree; by the most careful of them, and only as far as it holds."""
        rules = [rule for rule in self.policy.rules if self._is_inward(rule)]
        target = self.policy.target
        if not rules and target is None:
            return None
        if not all(self._holds(rule.condition) for rule in rules):
            return None
        wishes = [rule.wanted(self.count) for rule in rules] + ([self._target_in(target)] if target else [])
        wanted = self.room.clamp(max(wishes))
        if wanted >= self.count:
            return None
        if waiting := [rule for rule in rules if self._waits(rule)]:
            return self._held_back(wanted, max(waiting, key=lambda rule: rule.cooldown_s))
        return self._as_far_as_it_holds(wanted, self._said(rules[0]) if rules else self._target_said(target))

    # Rules -----------------------------------------------------------------------------------------------------

    def _holding(self) -> list[Rule]:
        return [rule for rule in self.policy.rules if self._holds(rule.condition)]

    def _holds(self, condition: Condition) -> bool:
        value = self.values.get(condition.question)
        return value is not None and condition.holds(value)

    def _is_inward(self, rule: Rule) -> bool:
        return rule.way == "in" or (rule.way == "to" and rule.amount < self.count)

    def _waits(self, rule: Rule) -> bool:
        return self.changed_at is not None and self.now < self.changed_at + timedelta(seconds=rule.cooldown_s)

    def _held_back(self, wanted: int, rule: Rule) -> Verdict:
        reason = f"{self._said(rule)} Held back by the cool-down of {durations.text_of(rule.cooldown_s)}."
        return Verdict(self.count, Cause.COOL_DOWN, reason, would=wanted)

    def _said(self, rule: Rule) -> str:
        value = self.values.get(rule.condition.question)
        return f"{rule.condition}, and it is {value:.4g}: {rule.action}."

    def _as_far_as_it_holds(self, wanted: int, reason: str) -> Verdict:
        """Fewer instances carry more each: where that would scale out again at once, go less far, or not at all."""
        trouble = ""
        for fewer in range(wanted, self.count):
            again = self._out_again(fewer)
            if not again:
                is_target = not any(self._is_inward(rule) for rule in self.policy.rules)
                return Verdict(fewer, Cause.TARGET if is_target else Cause.RULE, reason)
            trouble = trouble or again
        return Verdict(self.count, Cause.FLAPPING, f"{reason} Held back: {trouble}", would=wanted)

    def _out_again(self, fewer: int) -> str:
        for rule in self.policy.rules:
            value = self.values.get(rule.condition.question)
            if value is None or self.room.clamp(rule.wanted(fewer)) <= fewer:
                continue
            expected = rule.condition.after(value, self.count, fewer)
            if rule.condition.holds(expected):
                return f"with {fewer} it would be {expected:.4g} and scale out again ({rule.condition})."
        return ""

    # Target ----------------------------------------------------------------------------------------------------

    def _target_out(self) -> Verdict | None:
        target = self.policy.target
        value = self.values.get(target.now) if target else None
        if target is None or value is None or value <= target.percent:
            return None
        wanted = self.room.clamp(math.ceil(self.count * value / target.percent))
        if wanted <= self.count:
            return None
        reason = f"{value:.4g} % of the concurrency is used, {target.percent} % is the target."
        return Verdict(wanted, Cause.TARGET, reason)

    def _target_in(self, target: Target) -> int:
        """What the busier of the short and the long stretch needs; as many as now where either is not known."""
        seen = [self.values.get(target.now), self.values.get(target.calm)]
        known = [value for value in seen if value is not None]
        if len(known) < len(seen):
            return self.count
        return max(1, math.ceil(self.count * max(known) / target.percent))

    def _target_said(self, target: Target | None) -> str:
        value = self.values.get(target.calm) if target else None
        return f"{value or 0:.4g} % of the concurrency was used, {target.percent if target else 0} % is the target."
