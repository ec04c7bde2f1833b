"""The `scaling` block of a deployment: by rules, by the week, to zero. Ours, with the words of Azure's autoscale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from endpoints.spec import durations
from endpoints.spec.scaling_rules import action_problem, condition_problem
from endpoints.spec.schema import Document, Integer, ListOf, Problem, Shape, Text, TextOfAnything, rule
from endpoints.spec.time_zones import time_zone_problem

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_INSTANCES = 1000  # of the deployment document; what a studio allows is its own setting
MOST_RULES, MOST_SCHEDULES = 20, 40
SHORTEST_IDLE_S = 10

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def day_number(day: str) -> int:
    """`sat` or `Saturday`: 5."""
    return DAYS.index(day.lower()[:3])


def _day_problem(day: str) -> str | None:
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return None if day.lower() in {*DAYS, *full} else f"{day[:20]!r} is no day; write {', '.join(DAYS)}."


def minute_of(text: str) -> int:
    """`06:30` as minutes of the day; the last minute of a day is its end."""
    hours, _, minutes = text.partition(":")
    minute = int(hours) * 60 + int(minutes)
    return 24 * 60 if minute == 24 * 60 - 1 else minute


def _clock_problem(text: str) -> str | None:
    return None if _CLOCK.fullmatch(text) else f"{text[:20]!r} is no time of day; write it like 06:30, in quotes."


def _name_problem(name: str) -> str | None:
    return None if _NAME.fullmatch(name) else f"{name[:80]!r} is no name; use letters, digits, '.', '_' and '-'."


def _duration_problem(text: str) -> str | None:
    return None if durations.seconds_of(text) is not None else f"{text[:20]!r} is no length of time; write 90s or 5m."


def _cooldown_problem(text: str) -> str | None:
    seconds = durations.seconds_of(text)
    if seconds is None:
        return _duration_problem(text)
    return None if seconds <= 7 * 86400 else "A cool-down is a week at most."


def _idle_problem(text: str) -> str | None:
    seconds = durations.seconds_of(text)
    if seconds is None:
        return _duration_problem(text)
    within = SHORTEST_IDLE_S <= seconds <= 30 * 86400
    return None if within else f"An idle time is {SHORTEST_IDLE_S} s to 30 days."


def _hold_problem(text: str) -> str | None:
    seconds = durations.seconds_of(text)
    if seconds is None:
        return _duration_problem(text)
    return None if 1 <= seconds <= 1800 else "Requests are held for 1 s to 30 minutes."


Count = Annotated[int, Integer(minimum=0, maximum=MOST_INSTANCES)]
Least = Annotated[int, Integer(minimum=1, maximum=MOST_INSTANCES)]


def _bounds_problems(minimum: int, maximum: int, count: int | None, field_name: str) -> Iterator[Problem]:
    if minimum > maximum:
        yield "minimum", f"Must be at most the maximum ({maximum}), not {minimum}."
    elif count is not None and not minimum <= count <= maximum:
        yield field_name, f"Must be {minimum} to {maximum} (minimum to maximum), not {count}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRule(Shape):
    """`condition` and `scale` as `az monitor autoscale rule create` writes them."""

    aliases: ClassVar = {"cool_down": "cooldown"}

    condition: Annotated[str, Text(condition_problem)]
    scale: Annotated[str, Text(action_problem)]
    cooldown: Annotated[str, TextOfAnything(_cooldown_problem)] = "5m"
    resource: Literal["deployment", "endpoint"] = "deployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingSchedule(Shape):
    """Other bounds on some days of the week, from a time of the day to another, in a time zone."""

    aliases: ClassVar = {"from": "starts", "to": "ends", "timezone": "time_zone", "default": "count"}

    name: Annotated[str, Text(_name_problem)]
    days: Annotated[tuple[str, ...], ListOf(Text(_day_problem))] = DAYS
    starts: Annotated[str, Text(_clock_problem)] = "00:00"
    ends: Annotated[str, Text(_clock_problem)] = "24:00"
    time_zone: Annotated[str, Text(time_zone_problem)] = "UTC"
    minimum: Count = 1
    maximum: Least = 1
    count: Count | None = None

    @property
    def starting_count(self) -> int:
        return self.minimum if self.count is None else self.count

    @rule("minimum", "maximum", "count")
    def minimum_is_below_maximum(self) -> Iterator[Problem]:
        yield from _bounds_problems(self.minimum, self.maximum, self.count, "count")

    @rule("days")
    def names_a_day(self) -> Iterator[Problem]:
        if not self.days:
            yield "days", f"Name at least one day: {', '.join(DAYS)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingTarget(Shape):
    """Keep so much of the concurrency in use, as Kubernetes' `target_utilization` does."""

    utilization_percentage: Annotated[int, Integer(minimum=1, maximum=100)] = 70
    polling_interval: Annotated[str, TextOfAnything(_hold_problem)] = "10s"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSettings(Shape):
    """How many requests, of how many bytes together, the gateway holds for how long while a deployment wakes."""

    requests: Annotated[int, Integer(minimum=0, maximum=100_000)] = 200
    bytes: Annotated[int, Integer(minimum=0, maximum=2**30)] = 32 * 1024 * 1024
    timeout: Annotated[str, TextOfAnything(_hold_problem)] = "2m"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingDocument(Document):
    """When to run how many instances. `default`: how many where no metric is known, and how many it wakes with."""

    title: ClassVar = "scaling policy"
    aliases: ClassVar = {"min": "minimum", "max": "maximum", "count": "default", "min_instances": "minimum"}

    name: Annotated[str, Text(_name_problem)] | None = None
    enabled: bool = True
    minimum: Count = 1
    maximum: Least = 1
    default: Count | None = None
    rules: tuple[ScalingRule, ...] = ()
    schedules: tuple[ScalingSchedule, ...] = ()
    target: ScalingTarget | None = None
    idle_timeout: Annotated[str | None, TextOfAnything(_idle_problem)] = None
    hold: HoldSettings = field(default_factory=HoldSettings)
    quota_while_asleep: Literal["kept", "released"] = "kept"

    @property
    def starting_count(self) -> int:
        return self.minimum if self.default is None else self.default

    @rule("minimum", "maximum", "default")
    def minimum_is_below_maximum(self) -> Iterator[Problem]:
        yield from _bounds_problems(self.minimum, self.maximum, self.default, "default")

    @rule("minimum", "idle_timeout")
    def sleeps_only_when_it_may(self) -> Iterator[Problem]:
        if self.idle_timeout is not None and self.minimum:
            yield "idle_timeout", f"It sleeps only where the minimum is 0, and that is {self.minimum}."
        if self.idle_timeout is None and not self.minimum:
            yield "idle_timeout", "With a minimum of 0, say after how long without requests it sleeps, like 10m."

    @rule("rules", "schedules")
    def is_of_a_size_to_overlook(self) -> Iterator[Problem]:
        if len(self.rules) > MOST_RULES:
            yield "rules", f"A policy has at most {MOST_RULES} rules."
        names = [each.name.lower() for each in self.schedules]
        if len(names) > MOST_SCHEDULES:
            yield "schedules", f"A policy has at most {MOST_SCHEDULES} schedules."
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield "schedules", f"The name {name!r} stands twice."
