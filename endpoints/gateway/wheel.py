"""One coarse timer for thousands of deadlines: the usual request sets a deadline by writing an attribute.

An item lies in at most one slot. When the slot's time comes and the item's deadline has moved on meanwhile, it is
laid into a later slot; only an earlier deadline than before costs anything.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

TICK_SECONDS = 0.025


class Timed(Protocol):
    """What a wheel can hold. deadline: monotonic seconds, inf for none. slot: the wheel's own, 0 at first."""

    deadline: float
    slot: int

    def expire(self, now: float) -> None:
        """The deadline has passed."""


class TimerWheel:
    """Slots of `TICK_SECONDS`; a deadline is met by at most one tick late, never early."""

    def __init__(self, now: float) -> None:
        self._slots: dict[int, set[Timed]] = {}
        self._last = int(now / TICK_SECONDS)

    def arm(self, item: Timed, deadline: float) -> None:
        """Set or move the item's deadline; inf disarms it."""
        item.deadline = deadline
        if deadline != inf:
            slot = int(deadline / TICK_SECONDS) + 1
            if not item.slot or slot < item.slot:
                self._lay(item, slot)

    def forget(self, item: Timed) -> None:
        """Drop the item now, so that nothing keeps it alive."""
        item.deadline = inf
        if item.slot:
            if held := self._slots.get(item.slot):
                held.discard(item)
            item.slot = 0

    def advance(self, now: float) -> None:
        """Call `expire` on every item whose deadline has passed."""
        last, self._last = self._last, int(now / TICK_SECONDS)
        for slot in range(last + 1, self._last + 1):
            for item in self._slots.pop(slot, ()):
                item.slot = 0
                if item.deadline <= now:
                    item.deadline = inf
                    item.expire(now)
                elif item.deadline != inf:
                    self._lay(item, int(item.deadline / TICK_SECONDS) + 1)

    def _lay(self, item: Timed, slot: int) -> None:
        if item.slot and (held := self._slots.get(item.slot)):
            held.discard(item)
        slot = max(slot, self._last + 1)
        item.slot = slot
        self._slots.setdefault(slot, set()).add(item)
