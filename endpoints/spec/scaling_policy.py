"""What the autoscaler goes by, as plain values made of a `scaling` block. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from endpoints.spec import durations
from endpoints.spec.routes import HoldRules
from endpoints.spec.scaling_document import ScalingDocument, day_number, minute_of
from endpoints.spec.scaling_rules import CONCURRENCY, Condition, Question, Rule, read_action, read_condition
from endpoints.spec.time_zones import zone_named

DAY_MINUTES = 24 * 60
# The Kubernetes router scales in by what it saw for twenty times as long as it scales out by (contract B12).
CALM = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """How few and how many instances there may be, and how many where nothing else decides."""

    minimum: int
    maximum: int
    default: int

    def clamp(self, count: int) -> int:
        return max(self.minimum, min(self.maximum, count))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Bounds for a stretch of the week. `start`, `end`: minutes of the day in `zone`; past midnight where end is less.

    days: 0 is Monday; a stretch past midnight belongs to the day it begins on.
    """

    name: str
    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo
    bounds: Bounds

    def began_at(self, now: datetime) -> datetime | None:
        """When the stretch that holds `now` began; None outside of one."""
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        for back in (0, 1):
            day = local - timedelta(days=back)
            ends = self.end if self.end > self.start else self.end + DAY_MINUTES
            if day.weekday() in self.days and self.start <= minute + back * DAY_MINUTES < ends:
                return day.replace(hour=self.start // 60, minute=self.start % 60, second=0, microsecond=0)
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """Keep the concurrency used at `percent`: up at once, down by what `CALM` times as long has shown."""

    percent: int
    polling_s: int

    @property
    def now(self) -> Question:
        return Question(CONCURRENCY, "deployment", "avg", max(10, self.polling_s))

    @property
    def calm(self) -> Question:
        return Question(CONCURRENCY, "deployment", "avg", max(10, self.polling_s) * CALM)


@dataclass(frozen=True, slots=True)
class Policy:
    """idle_timeout_s: without requests for so long it goes to sleep; None: never."""

    bounds: Bounds
    rules: tuple[Rule, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    target: Target | None = None
    idle_timeout_s: int | None = None
    hold: HoldRules = field(default_factory=HoldRules)

    @property
    def may_sleep(self) -> bool:
        return self.idle_timeout_s is not None

    @property
    def questions(self) -> tuple[Question, ...]:
        """What has to be known to decide."""
        asked = [rule.condition.question for rule in self.rules]
        return tuple(dict.fromkeys([*asked, *((self.target.now, self.target.calm) if self.target else ())]))

    def active(self, now: datetime) -> tuple[Bounds, Schedule | None]:
        """The bounds that hold now: those of the first schedule that is on, else the policy's own."""
        schedule = next((each for each in self.schedules if each.began_at(now)), None)
        return (schedule.bounds, schedule) if schedule else (self.bounds, None)


def policy_of(document: ScalingDocument) -> Policy:
    """The block as values."""
    hold = document.hold
    return Policy(
        bounds=Bounds(document.minimum, document.maximum, document.starting_count),
        rules=tuple(
            Rule(
                Condition(*_condition(each.condition, each.resource)),
                *read_action(each.scale),
                cooldown_s=durations.seconds_of(each.cooldown) or 0,
            )
            for each in document.rules
        ),
        schedules=tuple(
            Schedule(
                name=each.name,
                days=frozenset(map(day_number, each.days)),
                start=minute_of(each.starts),
                end=minute_of(each.ends),
                zone=zone_named(each.time_zone),
                bounds=Bounds(each.minimum, each.maximum, each.starting_count),
            )
            for each in document.schedules
        ),
        target=_target(document),
        idle_timeout_s=durations.seconds_of(document.idle_timeout) if document.idle_timeout else None,
        hold=HoldRules(
            requests=hold.requests, bytes=hold.bytes, timeout_ms=1000 * (durations.seconds_of(hold.timeout) or 0)
        ),
    )


def _condition(text: str, scope: Any) -> tuple[Question, str, float]:
    read = read_condition(text, scope=scope)
    return read.question, read.operator, read.threshold


def _target(document: ScalingDocument) -> Target | None:
    target = document.target
    return (
        Target(target.utilization_percentage, durations.seconds_of(target.polling_interval) or 10) if target else None
    )


def stored_policy(values: Mapping[str, Any]) -> Policy | None:
    """The policy a deployment's row holds; None where there is none, or it is switched off."""
    if not values:
        return None
    document = ScalingDocument.read(values)
    return policy_of(document) if document.enabled else None
