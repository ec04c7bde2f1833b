"""Which sockets can be read or written now: epoll where there is one, poll elsewhere."""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Any, List, Tuple

READ = select.POLLIN
WRITE = select.POLLOUT


class Poller:
    """Any thread may watch and forget; one at a time polls."""

    def __init__(self) -> None:
        self._poll: Any
        if hasattr(select, "epoll"):
            self._poll = select.epoll()
            self.is_live = True  # a change takes effect while another thread polls
            self._exclusive = getattr(select, "EPOLLEXCLUSIVE", 0)
        else:
            self._poll = select.poll()
            self.is_live = False
            self._exclusive = 0

    def watch(self, descriptor: int, events: int = READ) -> None:
        self._poll.register(descriptor, events)

    def watch_shared(self, descriptor: int) -> None:
        """A listener that other processes watch too: one of them is woken, not all."""
        self._poll.register(descriptor, READ | self._exclusive)

    def change(self, descriptor: int, events: int) -> None:
        self._poll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        with suppress(OSError, KeyError, ValueError):  # closed already
            self._poll.unregister(descriptor)

    def poll(self, timeout_s: float) -> List[Tuple[int, int]]:
        if self.is_live:
            found: List[Tuple[int, int]] = self._poll.poll(timeout_s, 64)
            return found
        return list(self._poll.poll(timeout_s * 1000))
