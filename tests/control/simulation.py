"""A world for the planner: instances that start, fail and go by a script, and a clock that only the test moves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from endpoints.control.plan import Decision, Desired, Member, Outcome, plan
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, InstanceState

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SCRIPT_FAILURE = Failure(code=FailureCode.USER_SCRIPT_INIT_FAILED, message="init() raised KeyError: 'x'")
CRASH = Failure(code=FailureCode.CRASH_LOOP_BACK_OFF, message="The scoring server was killed (signal 9).")


@dataclass
class World:
    """Applies decisions the way the reconciler does, and checks at each that no promise is broken."""

    desired: Desired
    broken: frozenset[int] = frozenset()
    members: dict[str, Member] = field(default_factory=dict)
    now: datetime = START
    outcome: Outcome = Outcome.WORKING
    ids: Iterator[int] = field(default_factory=itertools.count)
    revisions: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    def present(self, *states: InstanceState) -> list[Member]:
        return [m for m in self.members.values() if m.is_present and (not states or m.state in states)]

    def ready(self) -> list[Member]:
        return self.present(InstanceState.READY)

    def change(self, **changes: Any) -> None:
        """The user wants something else from now on."""
        self.desired = replace(
            self.desired, generation=self.desired.generation + 1, is_settled=False, **{"is_canceled": False, **changes}
        )

    def look(self) -> Decision:
        """One turn of the reconciler."""
        decision = plan(self.desired, self.members.values(), self.now)
        self.check(decision)
        for name in decision.drain:
            self.put(name, state=InstanceState.DRAINING, draining_at=self.now)
        for name, _ in decision.stop:
            self.end(name)
        for _ in range(decision.start):
            self.start(decision.start_revision)
        self.settle(decision)
        return decision

    def check(self, decision: Decision) -> None:
        """No decision may break what was promised."""
        count, surge = self.desired.count, self.desired.surge
        if decision.start:
            assert len(self.present()) + decision.start <= count + surge, "more than count and surge"
        drained = [self.members[name] for name in decision.drain]
        assert all(m.state in (InstanceState.READY, InstanceState.UNREADY) for m in drained)
        left = len(self.ready()) - sum(m.state is InstanceState.READY for m in drained)
        assert left >= min(len(self.ready()), self.floor(decision)), "fewer ready than allowed"
        for name, _ in decision.stop:
            member = self.members[name]
            assert member.state not in (InstanceState.READY, InstanceState.UNREADY), "stopped before it drained"
            if member.state is InstanceState.DRAINING:
                assert member.draining_at is not None
                assert self.now - member.draining_at >= timedelta(seconds=self.desired.drain_s), "stopped too early"

    def floor(self, decision: Decision) -> int:
        """How many must stay ready whatever is replaced."""
        is_given_up = decision.outcome is Outcome.FAILED or self.desired.is_halted
        if self.desired.is_deleted or (is_given_up and not self.desired.proven_revision):
            return 0
        floor = self.desired.count - self.desired.batch
        return max(1, floor) if self.desired.surge and self.desired.count else floor

    def settle(self, decision: Decision) -> None:
        """What the reconciler stores when a generation comes to its end."""
        self.outcome = decision.outcome
        if self.desired.is_settled or self.desired.is_deleted:
            return
        if decision.outcome is Outcome.DONE:
            self.desired = replace(self.desired, is_settled=True, proven_revision=self.desired.revision)
        elif decision.outcome is Outcome.FAILED:
            self.desired = replace(self.desired, is_settled=True)

    def start(self, revision: int) -> None:
        name = f"blue-{next(self.ids):08x}"
        self.members[name] = Member(
            id=name,
            revision=revision,
            generation=self.desired.generation,
            state=InstanceState.STARTING,
            created_at=self.now,
        )

    def put(self, name: str, **changes: Any) -> None:
        self.members[name] = replace(self.members[name], **changes)

    def end(self, name: str) -> None:
        """The target let go of it. Failures are remembered, the rest is not."""
        if self.members[name].state is InstanceState.FAILED:
            self.put(name, is_present=False)
        else:
            del self.members[name]

    def crash(self, name: str, failure: Failure = CRASH) -> None:
        self.put(name, state=InstanceState.FAILED, ended_at=self.now, failure=failure)

    def finish_starting(self) -> None:
        """Every init() that runs comes to its end."""
        for member in self.present(InstanceState.STARTING):
            if member.revision in self.broken:
                self.crash(member.id, SCRIPT_FAILURE)
            else:
                self.put(member.id, state=InstanceState.READY, ready_at=self.now)

    def run(self, turns: int = 300, seconds: float = 0.5) -> World:
        """Let time pass until what runs is what should run."""
        for _ in range(turns):
            self.look()
            if self.outcome in (Outcome.DONE, Outcome.GONE) and (self.desired.is_settled or self.desired.is_deleted):
                return self
            self.now += timedelta(seconds=seconds)
            self.finish_starting()
        raise AssertionError(f"does not converge: {self.desired} {self.members}")


def rolled_out(count: int, *, surge: int | None = None, revision: int = 1) -> World:
    """A deployment that runs whole."""
    batch = -(-count // 5)
    desired = Desired(revision=revision, count=count, generation=1, surge=batch if surge is None else surge)
    return World(desired).run()
