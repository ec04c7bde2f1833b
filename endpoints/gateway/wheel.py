"""One coarse timer for thousands of deadlines: the usual request sets a deadline by writing an attribute.

An item lies in at most one slot. When the slot's time comes and the item's deadline has moved on meanwhile, it is
laid into a later slot; only an earlier deadline than before costs anything.
"""

from __future__ import annotations

from math import inf
from typing import Final, Protocol

TICK_SECONDS: Final = 0.025


class Timed(Protocol):
    """What a wheel can hold. deadline: monotonic seconds, inf for none. due: the wheel's own, inf at first.

    Setting `deadline` is all there is to do as long as it is not before `due`; else call `TimerWheel.arm`.
    """

    deadline: float
    due: float

    def expire(self, now: float) -> None:
        """The deadline has passed."""


class TimerWheel:
    """Slots of `TICK_SECONDS`; a deadline is met by at most two ticks late, never early."""

    def __init__(self, now: float) -> None:
        self._slots: dict[int, set[Timed]] = {}
        self._last = int(now / TICK_SECONDS)

    def arm(self, item: Timed, deadline: float) -> None:
        """Set or move the item's deadline; inf disarms it."""
        item.deadline = deadline
        if deadline < item.due:
            self._take_out(item)
            self._lay(item)

    def forget(self, item: Timed) -> None:
        """Drop the item now, so that nothing keeps it alive."""
        item.deadline = inf
        self._take_out(item)

    def advance(self, now: float) -> None:
        """Call `expire` on every item whose deadline has passed."""
        last, self._last = self._last, int(now / TICK_SECONDS)
        for slot in range(last + 1, self._last + 1):
            for item in self._slots.pop(slot, ()):
                item.due = inf
                if item.deadline <= now:
                    item.deadline = inf
                    item.expire(now)
                elif item.deadline != inf:
                    self._lay(item)

    def _lay(self, item: Timed) -> None:
        slot = max(int(item.deadline / TICK_SECONDS) + 1, self._last + 1)
        item.due = slot * TICK_SECONDS
        self._slots.setdefault(slot, set()).add(item)

    def _take_out(self, item: Timed) -> None:
        if item.due != inf:
            held = self._slots.get(round(item.due / TICK_SECONDS))
            if held is not None:
                held.discard(item)
            item.due = inf
