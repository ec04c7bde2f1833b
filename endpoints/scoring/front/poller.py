"""Which sockets can be read or written now: epoll where there is one, poll elsewhere."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from time import perf_counter
from typing import Any, List, Tuple

READ = select.POLLIN
WRITE = select.POLLOUT


class Poller:
    def __init__(self) -> None:
        self._poll: Any
        if hasattr(select, "epoll"):
            self._poll = select.epoll()
            self._scale = 1.0
        else:
            self._poll = select.poll()
            self._scale = 1000.0

    def watch(self, descriptor: int, events: int = READ) -> None:
        self._poll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        self._poll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        with suppress(OSError, KeyError, ValueError):  # closed already
            self._poll.unregister(descriptor)

    def poll(self, timeout_s: float) -> List[Tuple[int, int]]:
        found: List[Tuple[int, int]] = self._poll.poll(timeout_s * self._scale)
        return found

    def poll_busily(self, timeout_s: float) -> List[Tuple[int, int]]:
        """Without sleeping, but letting others go first who want the core."""
        until = perf_counter() + timeout_s
        found = self.poll(0)
        while not found and perf_counter() < until:
            os.sched_yield()
            found = self.poll(0)
        return found
