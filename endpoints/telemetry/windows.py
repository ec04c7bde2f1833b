"""Stretches of time to look at, and how finely: which rollups are read and how long a step of a chart is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from endpoints.spec.errors import FieldError, Invalid


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch back from now, as people choose it. grain_s: of the rows read; step_s: of what is shown."""

    key: str
    title: str
    seconds: int
    grain_s: int
    step_s: int

    @property
    def refresh_s(self) -> int:
        """How often it is worth asking again."""
        return max(5, min(60, self.step_s // 6))


RANGES = {
    one.key: one
    for one in (
        Range("15m", "Last 15 minutes", 15 * 60, 10, 10),
        Range("1h", "Last hour", 3600, 60, 60),
        Range("6h", "Last 6 hours", 6 * 3600, 60, 300),
        Range("24h", "Last 24 hours", 86400, 60, 900),
        Range("7d", "Last 7 days", 7 * 86400, 3600, 3600),
        Range("30d", "Last 30 days", 30 * 86400, 3600, 4 * 3600),
    )
}
DEFAULT_RANGE = "1h"
# From the request to its row: a second in the gateway, a few until the next intake.
ON_THEIR_WAY_S = 6


@dataclass(frozen=True)
class Window:
    """Steps of `step_s` seconds from `start_s` up to `end_s`; the last one may not be over.

    now_s: up to here everything has arrived. since_s: nothing before it is told.
    """

    start_s: int
    end_s: int
    grain_s: int
    step_s: int
    now_s: int
    since_s: int = 0

    @property
    def starts(self) -> range:
        """The beginning of every step."""
        return range(self.start_s, self.end_s, self.step_s)

    def index(self, start_s: int) -> int:
        """The step a slot belongs to."""
        return (start_s - self.start_s) // self.step_s

    def seconds_of(self, start_s: int) -> int:
        """How much of the step is over; 0 where it is too little to tell anything from."""
        over_s = min(self.step_s, self.now_s - start_s)
        return over_s if over_s >= max(self.grain_s, self.step_s // 6) else 0

    @cached_property
    def told(self) -> list[bool]:
        """For every step whether anything can be told of it: enough is over, and not all was before `since_s`."""
        return [self.seconds_of(start) > 0 and start + self.step_s > self.since_s for start in self.starts]

    @cached_property
    def times(self) -> list[str]:
        """The beginnings as ISO 8601 in UTC."""
        return [f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ}" for start in self.starts]


def range_named(key: str) -> Range:
    """The range `key` means; Invalid for a word that is none."""
    if key not in RANGES:
        message = f"{key[:20]!r} is not a range; choose one of {', '.join(RANGES)}."
        raise Invalid(f"range: {message}", details=[FieldError("range", message)])
    return RANGES[key]


def window_of(key: str, *, now: datetime, since: datetime | None = None) -> Window:
    """The steps of a range that ends now."""
    chosen = range_named(key or DEFAULT_RANGE)
    now_s = int(now.timestamp()) - ON_THEIR_WAY_S
    end_s = (now_s // chosen.step_s + 1) * chosen.step_s
    since_s = int(since.timestamp()) // chosen.grain_s * chosen.grain_s if since else 0
    return Window(end_s - chosen.seconds - chosen.step_s, end_s, chosen.grain_s, chosen.step_s, now_s, since_s)
