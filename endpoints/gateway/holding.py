"""Requests held while a sleeping deployment wakes: let in up to a bound, asked for until it comes, released in turn.

What a request waits here is no part of its latency and eats nothing of its time-out: both begin when it is released.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from endpoints.gateway import errors
from endpoints.gateway.board import Tally
from endpoints.spec.counters import Held
from endpoints.spec.histogram import Histogram
from endpoints.spec.routes import HoldRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from endpoints.gateway.board import Board
    from endpoints.gateway.errors import Refusal
    from endpoints.gateway.instances import Instance
    from endpoints.gateway.routing import Deployment

ASK_AGAIN_SECONDS = 1.0
KIB = 1024


class Waiting(Protocol):
    """A request that is held. hold_deadline: monotonic seconds; held_since likewise."""

    hold_deadline: float
    held_since: float

    def release(self, instance: Instance) -> None:
        """An instance is there: go to it."""

    def refuse(self, refusal: Refusal) -> None:
        """It waited in vain."""


class Room:
    """Where the requests of one deployment wait, first come first served; bounded over all processes together."""

    def __init__(self, holding: Holding, deployment: Deployment) -> None:
        self.waiting: dict[Waiting, int] = {}
        self.asked_at = 0.0
        self._holding = holding
        self._deployment = deployment
        name = f"{deployment.endpoint}/{deployment.name}"
        self._requests = Tally(holding.board, f"held:{name}")
        self._kib = Tally(holding.board, f"held-kib:{name}")

    def take_in(self, request: Waiting, size: int, rules: HoldRules) -> None:
        """Hold the request, of which `size` bytes may lie in memory, and have the deployment woken. Raises Refusal."""
        deployment = self._deployment
        now = self._holding.clock()
        self._ask(now)
        if deployment.route.trouble:
            raise errors.not_woken(deployment.name, deployment.route.trouble)
        kib = -(-size // KIB)
        if self._requests.total() >= rules.requests or (self._kib.total() + kib) * KIB > rules.bytes:
            raise errors.too_many_held(deployment.name, rules.requests, rules.bytes)
        request.held_since, request.hold_deadline = now, now + rules.timeout_ms / 1000
        self.waiting[request] = kib
        self._requests.enter()
        self._kib.put(self._kib.own + kib)
        deployment.is_open = False
        self._holding.rooms.add(self)

    def drain(self) -> bool:
        """Release requests while there is a free instance; whether all are gone."""
        while self.waiting:
            instance = self._deployment.pick()
            if instance is None:
                return False
            request = next(iter(self.waiting))
            self._remove(request, was_answered=True)
            request.release(instance)
        return True

    def leave(self, gone: object) -> None:
        """A client has gone; one that is not held is no error."""
        request = cast(Waiting, gone)
        if request in self.waiting:
            self._remove(request, was_answered=False)

    def advance(self, now: float) -> None:
        """Ask again, and turn away those who waited too long."""
        deployment = self._deployment
        while self.waiting and (request := next(iter(self.waiting))).hold_deadline <= now:
            self._give_up(request, errors.wake_timeout(deployment.name, now - request.held_since))
        if self.waiting and not deployment.instances and now - self.asked_at >= ASK_AGAIN_SECONDS:
            self._ask(now)
        deployment.wake()

    def give_up_all(self, refusal: Refusal) -> None:
        """Nothing will come of waiting."""
        for request in tuple(self.waiting):
            self._give_up(request, refusal)

    def close(self) -> None:
        """Nobody is held any more."""
        self.give_up_all(errors.no_instances(self._deployment.name))
        self._holding.rooms.discard(self)
        self._requests.release()
        self._kib.release()

    def _ask(self, now: float) -> None:
        if now - self.asked_at >= ASK_AGAIN_SECONDS:
            self.asked_at = now
            self._holding.wake(self._deployment.endpoint, self._deployment.name, len(self.waiting) + 1)

    def _give_up(self, request: Waiting, refusal: Refusal) -> None:
        self._remove(request, was_answered=False)
        request.refuse(refusal)

    def _remove(self, request: Waiting, *, was_answered: bool) -> None:
        kib = self.waiting.pop(request)
        self._requests.leave()
        self._kib.put(self._kib.own - kib)
        seconds = self._holding.clock() - request.held_since
        self._holding.count(self._deployment.endpoint, self._deployment.name, seconds, was_answered=was_answered)


class Holding:
    """All rooms of one process. `wake` is asked for a deployment: its endpoint, its name, how many wait here."""

    def __init__(self, board: Board, clock: Callable[[], float]) -> None:
        self.board = board
        self.clock = clock
        self.rooms: set[Room] = set()
        self.wake: Callable[[str, str, int], None] = lambda endpoint, deployment, waiting: None
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._waited: dict[tuple[str, str], Histogram] = {}

    def advance(self, now: float) -> None:
        """Some twenty times a second; costs nothing while nobody is held."""
        for room in tuple(self.rooms):
            room.advance(now)
            if not room.waiting:
                self.rooms.discard(room)

    def count(self, endpoint: str, deployment: str, seconds: float, *, was_answered: bool) -> None:
        """A request is held no longer."""
        key = (endpoint, deployment)
        self._counts.setdefault(key, [0, 0])[0 if was_answered else 1] += 1
        if was_answered:
            self._waited.setdefault(key, Histogram()).add(seconds)

    def take(self) -> tuple[Held, ...]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, {}
        waited, self._waited = self._waited, {}
        return tuple(
            Held(
                endpoint=endpoint,
                deployment=deployment,
                answered=answered,
                given_up=given_up,
                waited=waited.get((endpoint, deployment), Histogram()),
            )
            for (endpoint, deployment), (answered, given_up) in counts.items()
        )
