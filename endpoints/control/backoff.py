"""How long to wait before an instance that ended by itself is replaced. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from endpoints.spec.states import InstanceState

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
# An instance that was ready for so long ends the streak: what happens after it is a new story.
HEALTHY_S = 60.0


class Ended(Protocol):
    """What this module reads of a member of a fleet."""

    @property
    def revision(self) -> int: ...
    @property
    def state(self) -> InstanceState: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def ready_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Streak:
    """Failures in a row, and when the last one was."""

    count: int
    last_at: datetime | None


def crash_streak(fleet: Iterable[Ended], revision: int, now: datetime) -> Streak:
    """Failures of a revision since one of its instances last stayed ready for a while."""
    own = [member for member in fleet if member.revision == revision]
    failed = [member for member in own if member.state is InstanceState.FAILED and member.ended_at]
    failed.sort(key=lambda member: member.ended_at or now, reverse=True)
    if not failed or any(_is_recovery(member, failed[0], now) for member in own):
        return Streak(0, None)
    count = 0
    for member in failed:
        count += 1
        if _ready_s(member, member.ended_at or now) >= HEALTHY_S:
            break
    return Streak(count, failed[0].ended_at)


def time_to_wait(fleet: Iterable[Ended], revision: int, now: datetime) -> float:
    """Seconds until the next replacement may start, 0 for at once."""
    streak = crash_streak(fleet, revision, now)
    if not streak.count or streak.last_at is None:
        return 0.0
    wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (streak.count - 1))
    due = streak.last_at + timedelta(seconds=wait_s)
    return max(0.0, (due - now).total_seconds())


def _is_recovery(member: Ended, last_failure: Ended, now: datetime) -> bool:
    """Started after the last failure and healthy ever since."""
    is_after = last_failure.ended_at is not None and member.created_at >= last_failure.ended_at
    return member.state is InstanceState.READY and is_after and _ready_s(member, now) >= HEALTHY_S


def _ready_s(member: Ended, until: datetime) -> float:
    return (until - member.ready_at).total_seconds() if member.ready_at else 0.0
