"""How many may enter: a limit in flight per deployment, a bounded queue, a rate per endpoint, doors for connections."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol, cast

from endpoints.gateway import errors
from endpoints.gateway.board import Board, Tally
from endpoints.gateway.errors import Refusal
from endpoints.spec.routes import ConnectionLimits

_SECOND_MASK: Final = 0x3FF
_COUNT_BITS: Final = 21
_COUNT_MASK: Final = (1 << _COUNT_BITS) - 1


class Waiting(Protocol):
    """A request in the queue. deadline: monotonic seconds."""

    queue_deadline: float

    def proceed(self) -> None:
        """An instance may be free now: try to take it."""

    def give_up(self) -> None:
        """It waited too long."""


class Queue:
    """Requests that were let in and wait for a free instance, first come first served, in `waiting`."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: OrderedDict[Waiting, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.waiting)

    def join(self, request: Waiting) -> None:
        self.waiting[request] = None

    def quit(self, request: object) -> None:
        """Leave without being served; not being there is no error."""
        self.waiting.pop(cast(Waiting, request), None)

    def first(self) -> Waiting | None:
        return next(iter(self.waiting), None)

    def expire(self, now: float) -> None:
        """Turn away all whose time is up; joined in order of time, so only the head is looked at."""
        while self.waiting:
            request = next(iter(self.waiting))
            if request.queue_deadline > now:
                return
            del self.waiting[request]
            request.give_up()


class Window:
    """What was counted in the last second, over all processes. `now` must be the same clock in all (monotonic).

    Two shared cells count for even and odd seconds; the second before counts by the part of it that the sliding window
    still covers.
    """

    __slots__ = ("_cells",)

    def __init__(self, board: Board, kind: str, endpoint: str) -> None:
        self._cells = (Tally(board, f"{kind}0:{endpoint}"), Tally(board, f"{kind}1:{endpoint}"))

    def seen(self, now: float) -> float:
        second = int(now)
        current = _count(self._cells[second % 2], second & _SECOND_MASK)
        before = _count(self._cells[(second + 1) % 2], (second - 1) & _SECOND_MASK)
        return current + before * (1 - (now - second))

    def add(self, number: int, now: float) -> None:
        second = int(now)
        cell = self._cells[second % 2]
        stamp = second & _SECOND_MASK
        own = cell.own & _COUNT_MASK if cell.own >> _COUNT_BITS == stamp else 0
        cell.put(stamp << _COUNT_BITS | min(own + number, _COUNT_MASK))

    def release(self) -> None:
        """Give the shared cells back."""
        for cell in self._cells:
            cell.release()


class RateLimit:
    """At most `per_second` requests in any second, over all processes."""

    __slots__ = ("_window", "per_second")

    def __init__(self, board: Board, endpoint: str, per_second: int) -> None:
        self.per_second = per_second
        self._window = Window(board, "rate", endpoint)

    def take(self, now: float) -> bool:
        """Count one request if it is within the limit. `now`: monotonic."""
        if self._window.seen(now) >= self.per_second:
            return False
        self._window.add(1, now)
        return True

    def release(self) -> None:
        """Give the shared cells back."""
        self._window.release()


class Doors:
    """How many connections may be open, and how many may come in a second, over all processes (contract B1)."""

    __slots__ = ("_new", "_open", "limits")

    def __init__(self, board: Board) -> None:
        self.limits = ConnectionLimits()
        self._open = Tally(board, "connections")
        self._new = Window(board, "connections", "")

    def enter(self, now: float) -> Refusal | None:
        """Count one connection, or say why it may not stay. `now`: monotonic. Who was let in must leave."""
        active, new_per_second = self.limits.active, self.limits.new_per_second
        if active and self._open.total() >= active:
            return errors.too_many_connections(active)
        if new_per_second:
            if self._new.seen(now) >= new_per_second:
                return errors.too_many_new_connections(new_per_second)
            self._new.add(1, now)
        self._open.enter()
        return None

    def leave(self) -> None:
        self._open.leave()


def _count(tally: Tally, stamp: int) -> int:
    return sum(cell & _COUNT_MASK for cell in (tally.own, *tally.of_others()) if cell >> _COUNT_BITS == stamp)
