"""From what is wanted and what is there to what to do next. Pure: no clock, no database, no process.

A change goes through in batches of 20 %, new instances before old ones go, out of the routes before a stop, and it
halts on the first new instance that fails while the old ones serve on. Every rule here is a property in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from endpoints.control.backoff import crash_streak, time_to_wait
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, InstanceState

# A first instance that ends without a reason of its own may have been killed from outside: it is tried again so often.
UNEXPLAINED_ATTEMPTS = 3
# A revision that worked before keeps being restarted; its operation stops waiting after so many failures in a row.
PROVEN_ATTEMPTS = 5
SOON_S = 0.05
SOON_AT_MOST_S = 0.25
LATER_S = 1.0

CANCELED = Failure(
    code=FailureCode.OPERATION_CANCELED,
    message="The change was canceled before it was finished.",
    advice="What ran whole before goes on serving. Try again, or apply another change.",
)

_LIVE = frozenset({InstanceState.STARTING, InstanceState.READY, InstanceState.UNREADY})


@dataclass(frozen=True, slots=True)
class Desired:
    """What is wanted of one deployment.

    proven_revision: the last one rolled out whole, 0 for none. is_settled: this generation was brought to its end
    before, well or badly. is_canceled: somebody wants it given up. surge: instances that may run beyond `count` during
    a change. patience_s: how long a new instance may stay unready. drain_s: from leaving the routes to the stop;
    grace_s: from the stop to the kill.
    """

    revision: int
    count: int
    generation: int
    proven_revision: int = 0
    is_settled: bool = False
    is_deleted: bool = False
    is_canceled: bool = False
    surge: int = 1
    patience_s: float = 310.0
    drain_s: float = 1.0
    grace_s: float = 10.0

    @property
    def is_proven(self) -> bool:
        return self.revision == self.proven_revision

    @property
    def is_halted(self) -> bool:
        """The roll-out of `revision` was given up: the proven revision is what should run, or nothing."""
        return self.is_settled and not self.is_proven

    @property
    def batch(self) -> int:
        """A fifth of the instances, at least one."""
        return -(-self.count // 5)


@dataclass(frozen=True, slots=True)
class Member:
    """One instance: those the target holds (`is_present`), and lately failed ones, which decide the back-off."""

    id: str
    revision: int
    generation: int
    state: InstanceState
    created_at: datetime
    ready_at: datetime | None = None
    unready_since: datetime | None = None
    draining_at: datetime | None = None
    ended_at: datetime | None = None
    failure: Failure | None = None
    is_present: bool = True


class Outcome(StrEnum):
    WORKING = "working"  # not there yet
    DONE = "done"  # what runs is what should run
    FAILED = "failed"  # this generation is given up; `failure` says why
    GONE = "gone"  # nothing is left of a deployment that is to be deleted


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now: take `drain` out of the routes, `stop` (with grace in seconds), `start` of `start_revision`.

    look_in_s: when the next look can find something new.
    """

    outcome: Outcome
    failure: Failure | None = None
    start_revision: int = 0
    start: int = 0
    drain: tuple[str, ...] = ()
    stop: tuple[tuple[str, float], ...] = ()
    look_in_s: float = LATER_S


def plan(desired: Desired, fleet: Iterable[Member], now: datetime) -> Decision:
    """One step towards `desired`. Taking it and asking again converges."""
    members = tuple(fleet)
    failure = reason_to_give_up(desired, members, now)
    if failure is None:
        return _step(desired, members, now)
    given_up = replace(desired, is_settled=True)
    return replace(_step(given_up, members, now), outcome=Outcome.FAILED, failure=failure)


def reason_to_give_up(desired: Desired, fleet: Sequence[Member], now: datetime) -> Failure | None:
    """Why this generation cannot be reached, None while there is hope."""
    if desired.is_settled or desired.is_deleted:
        return None
    if desired.is_canceled:
        return CANCELED
    own = [m for m in fleet if m.revision == desired.revision and m.generation == desired.generation]
    failures = [m.failure for m in sorted(own, key=lambda m: m.ended_at or now) if m.state is InstanceState.FAILED]
    known = [failure for failure in failures if failure is not None]
    if desired.is_proven:
        return known[-1] if len(known) >= PROVEN_ATTEMPTS else None
    explained = [failure for failure in known if failure.code is not FailureCode.CRASH_LOOP_BACK_OFF]
    if explained:
        return explained[0]
    if len(known) >= (1 if desired.proven_revision else UNEXPLAINED_ATTEMPTS):
        return known[-1]
    return _unready_too_long(desired, own, now)


def _unready_too_long(desired: Desired, own: Iterable[Member], now: datetime) -> Failure | None:
    for member in own:
        since = member.unready_since if member.state is InstanceState.UNREADY else None
        if since and now - since > timedelta(seconds=desired.patience_s):
            return Failure(
                code=FailureCode.RESOURCE_NOT_READY,
                message=f"Instance {member.id} was ready once, then failed its readiness probe for too long.",
                advice="Read its log; raise readiness_probe's failure_threshold or period if it is only slow.",
            )
    return None


@dataclass(frozen=True, slots=True)
class _Fleet:
    """The present members, sorted by what can be done with them."""

    desired: Desired
    revision: int
    count: int
    all: tuple[Member, ...]
    now: datetime

    @property
    def live(self) -> list[Member]:
        return [m for m in self.all if m.is_present and m.state in _LIVE]

    @property
    def current(self) -> list[Member]:
        return [m for m in self.live if m.revision == self.revision]

    @property
    def old(self) -> list[Member]:
        return [m for m in self.live if m.revision != self.revision]

    @property
    def leaving(self) -> list[Member]:
        return [m for m in self.all if m.is_present and m.state not in _LIVE]

    @property
    def room(self) -> int:
        """How many more may run. What is on its way out still counts: its cores are taken until it is gone."""
        return self.count + self.desired.surge - len(self.live) - len(self.leaving)

    @property
    def is_scaling_first(self) -> bool:
        """A change of count and revision changes the count first, with the revision that is known to work.

        Not without surge: there a missing old instance is the room that the roll made for a new one.
        """
        proven = self.desired.proven_revision
        if proven in (0, self.revision) or self.current or not self.old or not self.desired.surge:
            return False
        is_all_proven = all(m.revision == proven for m in self.old)
        is_under_way = len(self.old) < self.count or any(m.state is InstanceState.STARTING for m in self.old)
        return is_all_proven and is_under_way and not crash_streak(self.all, proven, self.now).count


def _step(desired: Desired, members: tuple[Member, ...], now: datetime) -> Decision:
    revision, count = _target(desired)
    fleet = _Fleet(desired=desired, revision=revision, count=count, all=members, now=now)
    stop = [*_overdue(fleet)]
    if fleet.is_scaling_first:
        revision, wanted, surplus = desired.proven_revision, count - len(fleet.old), list[Member]()
    else:
        surplus = [*_excess(fleet), *_replaced(fleet)]
        wanted = min(count - len(fleet.current), _batch_left(fleet))
    wait_s = time_to_wait(members, revision, now)
    start = max(0, min(wanted, fleet.room)) if not wait_s else 0
    stop += [(m.id, desired.grace_s) for m in surplus if m.state is InstanceState.STARTING]
    return Decision(
        outcome=_outcome(fleet),
        start_revision=revision if start else 0,
        start=start,
        drain=tuple(m.id for m in surplus if m.state is not InstanceState.STARTING),
        stop=tuple(stop),
        look_in_s=_look_in(fleet, start=start, wait_s=wait_s if wanted > 0 else 0.0),
    )


def _target(desired: Desired) -> tuple[int, int]:
    """Revision and number of instances that should run in the end."""
    if desired.is_deleted:
        return 0, 0
    if desired.is_halted:
        return desired.proven_revision, desired.count if desired.proven_revision else 0
    return desired.revision, desired.count


def _overdue(fleet: _Fleet) -> Iterable[tuple[str, float]]:
    """Stop what has ended, and what has drained long enough."""
    for member in fleet.leaving:
        if member.state is not InstanceState.DRAINING:
            yield member.id, 0.0
        elif fleet.now >= _drained_at(fleet.desired, member):
            yield member.id, fleet.desired.grace_s


def _drained_at(desired: Desired, member: Member) -> datetime:
    return (member.draining_at or member.created_at) + timedelta(seconds=desired.drain_s)


def _excess(fleet: _Fleet) -> list[Member]:
    """Instances of the right revision beyond the count: those that serve nobody first, then the youngest."""
    by_worth = sorted(fleet.current, key=lambda m: (m.state is InstanceState.READY, -m.created_at.timestamp()))
    return by_worth[: max(0, len(by_worth) - fleet.count)]


def _replaced(fleet: _Fleet) -> list[Member]:
    """Instances of other revisions that can go: all that are not ready, and as many ready ones as can be spared."""
    ready = [m for m in fleet.old if m.state is InstanceState.READY]
    idle = [m for m in fleet.old if m.state is not InstanceState.READY]
    kept = min(len(fleet.current), fleet.count)
    ready_current = sum(m.state is InstanceState.READY for m in fleet.current)
    spare = min(ready_current, kept) + len(ready) - fleet.count
    if not fleet.desired.surge:  # no room beside the old ones: a batch of them has to make it
        spare += fleet.desired.batch - len(fleet.leaving) - (kept - min(ready_current, kept))
    unproven_first = sorted(ready, key=lambda m: (m.revision == fleet.desired.proven_revision, m.created_at, m.id))
    return idle + unproven_first[: max(0, spare)]


def _batch_left(fleet: _Fleet) -> int:
    """How many may start now: a batch at a time while others serve, all at once where nobody does."""
    if not any(m.state is InstanceState.READY for m in fleet.old):
        return fleet.count
    return fleet.desired.batch - sum(m.state is not InstanceState.READY for m in fleet.current)


def _outcome(fleet: _Fleet) -> Outcome:
    if fleet.desired.is_deleted:
        return Outcome.WORKING if any(m.is_present for m in fleet.all) else Outcome.GONE
    if fleet.leaving or fleet.old or len(fleet.current) != fleet.count:
        return Outcome.WORKING
    is_ready = all(m.state is InstanceState.READY for m in fleet.current)
    return Outcome.DONE if is_ready else Outcome.WORKING


def _look_in(fleet: _Fleet, *, start: int, wait_s: float) -> float:
    """Soon while something is about to change by itself, else when the next thing falls due.

    An instance that has been starting for long is looked at less often: never 1 % later than it could be.
    """
    starting = [m.created_at for m in fleet.live if m.state is InstanceState.STARTING]
    if start or fleet.leaving:
        return SOON_S
    if starting:
        return min(SOON_AT_MOST_S, max(SOON_S, (fleet.now - max(starting)).total_seconds() / 100))
    return max(SOON_S, wait_s) if wait_s else LATER_S
