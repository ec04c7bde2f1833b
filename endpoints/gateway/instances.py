"""One instance as this process sees it: warm connections, how busy it is, whether it is set aside for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from endpoints.gateway.board import Tally
from endpoints.gateway.counters import UsualCount
from endpoints.gateway.parsing import AnswerHead
from endpoints.gateway.upstream import UpstreamConnection
from endpoints.spec.counters import SeriesKey

if TYPE_CHECKING:
    from endpoints.gateway.plane import DataPlane
    from endpoints.spec.routes import InstanceRoute

CONNECT_SECONDS: Final = 2.0
MAX_IDLE_CONNECTIONS: Final = 512
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0


class Dialer(Protocol):
    """Opens a connection; raises OSError. `asyncio`'s loop in life, a fake in tests."""

    async def __call__(
        self, factory: Callable[[], UpstreamConnection], host: str, port: int
    ) -> tuple[asyncio.BaseTransport, UpstreamConnection]: ...


class Instance:
    """Connections to one host and port. `tally`: requests at it now, from all gateway processes.

    idle: warm connections, the last used one last; broken ones are not among them. usual: where its good answers are
    counted. last_answer, last_head: the head of its last good answer, as bytes and read, since servers repeat
    themselves, too.
    """

    __slots__ = (
        "_failures",
        "_pause",
        "_plane",
        "host",
        "id",
        "idle",
        "is_retired",
        "is_set_aside",
        "last_answer",
        "last_head",
        "port",
        "tally",
        "usual",
    )

    def __init__(self, plane: DataPlane, route: InstanceRoute, *, endpoint: str, deployment: str) -> None:
        self.id = route.id
        self.host = route.host
        self.port = route.port
        self.tally = Tally(plane.board, f"instance:{route.id}")
        self.is_retired = False
        self.is_set_aside = False
        self.usual = UsualCount(SeriesKey(endpoint, deployment, route.id, 200, 200, "", False))
        self.last_answer = b""
        self.last_head: AnswerHead | None = None
        self._plane = plane
        self.idle: list[UpstreamConnection] = []
        self._failures = 0
        self._pause: asyncio.TimerHandle | None = None

    async def connect(self) -> UpstreamConnection:
        """A new connection. Raises OSError; the instance is then set aside."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await self._plane.dial(lambda: UpstreamConnection(self), self.host, self.port)
        except OSError:  # TimeoutError is one
            self.set_aside()
            raise
        self._failures = 0
        self.is_set_aside = False
        return connection

    def put_back(self, connection: UpstreamConnection) -> None:
        """A connection has finished its request."""
        idle = self.idle
        if self.is_retired or len(idle) >= MAX_IDLE_CONNECTIONS:
            connection.transport.close()
        else:
            idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is no more."""
        if connection in self.idle:
            self.idle.remove(connection)

    def prune(self) -> None:
        """Called every few seconds: let half of the connections that were not needed go, but keep two warm."""
        for connection in self.idle[: (len(self.idle) - 1) // 2]:
            self.idle.remove(connection)
            connection.transport.close()

    def set_aside(self) -> None:
        """It failed: no requests for a while, then a probe decides whether it comes back."""
        self.is_set_aside = True
        if self._pause is None and not self.is_retired:
            seconds = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
            self._failures += 1
            self._pause = self._plane.loop.call_later(seconds, self._probe)

    def retire(self) -> None:
        """It left the routes: requests at it end undisturbed, none comes after them."""
        self.is_retired = True
        if self._pause is not None:
            self._pause.cancel()
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.transport.close()
        if not self.tally.own:
            self.tally.release()

    def leave(self) -> None:
        """A request at it has ended."""
        self.tally.leave()
        if self.is_retired and not self.tally.own:
            self.tally.release()

    def _probe(self) -> None:
        self._pause = None
        if not self.is_retired:
            self._plane.spawn(self._try())

    async def _try(self) -> None:
        try:
            connection = await self.connect()
        except OSError:
            return
        self.put_back(connection)
        self._plane.instance_returned(self)
