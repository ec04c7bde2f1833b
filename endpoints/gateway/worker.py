"""One gateway process: accepts on a socket its master holds, serves, hands its counts over, drains when told.

It needs nothing but the route table on disk. Without its master it serves on for a while, so that a new master can
take over without a gap.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import msgspec
import uvloop

from endpoints.gateway.board import Board
from endpoints.gateway.counters import Unsent
from endpoints.gateway.link import (
    ORDERS_VARIABLE,
    Confirmed,
    Counted,
    Drain,
    FromMaster,
    Gone,
    Lines,
    Link,
    Orders,
    Paired,
    Ready,
    Wanted,
)
from endpoints.gateway.plane import DataPlane
from endpoints.gateway.protocol import ClientConnection
from endpoints.gateway.routes_watch import RoutesWatch
from endpoints.gateway.settings import Settings, read_settings
from endpoints.gateway.spill import spill
from endpoints.gateway.tls import Certificate
from endpoints.spec.routes import RouteTable

logger = logging.getLogger(__name__)

HAND_OVER_SECONDS = 1.0
PRUNE_SECONDS = 15.0
ORPHAN_SECONDS = 60.0
QUIET_SECONDS = 5.0
BACKLOG = 4096


class Worker:
    """The life of one process."""

    def __init__(self, settings: Settings, orders: Orders, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._orders = orders
        self._loop = loop
        self.plane = DataPlane(settings, loop=loop, board=Board(orders.board_fd, orders.column), source=orders.source)
        self._watch = RoutesWatch(settings.home.routes_file, self._apply)
        self._unsent = Unsent()
        self._servers: list[asyncio.Server] = []
        self._link: Link
        self._certificate = Certificate(settings.tls_certificate, settings.tls_key)
        self._is_stopping = asyncio.Event()
        self._order = Drain(settings.drain_seconds, False)

    async def run(self) -> None:
        """Serve until told to drain, then drain."""
        link = Link(self._on_message, self._on_master_gone)
        await self._loop.create_connection(lambda: link, sock=socket.socket(fileno=self._orders.link_fd))
        self._link = link
        self.plane.holding.wake = lambda endpoint, deployment, waiting: link.send(Wanted(endpoint, deployment, waiting))
        self._loop.add_signal_handler(signal.SIGTERM, self._stop)
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is the master's to act on
        self._watch.look()
        await self._listen()
        self.plane.start()
        chores = [
            self._loop.create_task(work)
            for work in (self._watch.watch(), self._hand_over(), self._prune(), self._certificate.watch())
        ]
        link.send(Ready(self._watch.version))
        await self._is_stopping.wait()
        await self._drain(self._order)
        for chore in chores:
            chore.cancel()
        await self._say_goodbye()

    async def _listen(self) -> None:
        plane = self.plane

        def accept() -> asyncio.BaseProtocol:
            return cast(asyncio.BaseProtocol, ClientConnection(plane))

        main = socket.socket(fileno=self._orders.listen_fd)
        context = self._certificate.context
        is_main_tls = context is not None and self._orders.tls_fd < 0
        self._servers.append(
            await self._loop.create_server(accept, sock=main, backlog=BACKLOG, ssl=context if is_main_tls else None)
        )
        if self._orders.tls_fd >= 0:
            secure = socket.socket(fileno=self._orders.tls_fd)
            self._servers.append(await self._loop.create_server(accept, sock=secure, backlog=BACKLOG, ssl=context))

    def _apply(self, table: RouteTable) -> None:
        if any(endpoint.auth_mode != "key" for endpoint in table.endpoints.values()):
            importlib.import_module("endpoints.gateway.tokens")  # now, rather than during the first request with one
        self.plane.book.apply(table)
        # A table of thousands of endpoints lives long: keep the collector from walking it again and again.
        gc.collect(0)
        gc.freeze()

    # Chores --------------------------------------------------------------------------------------------------

    async def _hand_over(self) -> None:
        while True:
            await asyncio.sleep(HAND_OVER_SECONDS)
            self._count()

    def _count(self) -> None:
        self.plane.counters.connections = len(self.plane.connections)
        batch = self.plane.counters.take_batch(self.plane.gauges(), self.plane.holding.take())
        if batch is not None:
            encoded = msgspec.json.encode(batch)
            self._unsent.add(batch.id, batch.ended_at_ms, encoded)
            self._link.send(Counted(batch.id, batch.ended_at_ms, msgspec.Raw(encoded)))
        if not self._link.is_congested and (pairs := self.plane.pairs.take_batch()) is not None:
            self._link.send(Paired(*pairs))
        if lines := self.plane.access_log.take():
            self._link.send(Lines(lines.decode("utf-8", "replace")))

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            self.plane.prune()

    # Orders --------------------------------------------------------------------------------------------------

    def _on_message(self, message: bytes) -> None:
        order = msgspec.json.decode(message, type=FromMaster)
        if isinstance(order, Confirmed):
            self._unsent.confirm(order.id)
        else:
            self._order = order
            self._is_stopping.set()

    def _on_master_gone(self) -> None:
        if not self._is_stopping.is_set():
            logger.warning("the gateway's master is gone; serving on for %d s", ORPHAN_SECONDS)
            self._loop.call_later(ORPHAN_SECONDS, self._is_stopping.set)

    def _stop(self) -> None:
        self._order = Drain(self._settings.drain_seconds, True)
        self._is_stopping.set()

    async def _drain(self, order: Drain) -> None:
        """Finish what is under way. With a successor, connections that are in use get to send one more request and are
        then told to close; without one, idle connections end at once."""
        plane = self.plane
        plane.is_draining = True
        for server in self._servers:
            server.close()
        deadline = plane.clock() + order.seconds
        quiet_from = plane.clock() + min(QUIET_SECONDS, order.seconds)
        while plane.connections and plane.clock() < deadline:
            if not order.has_successor or plane.clock() >= quiet_from:
                for connection in tuple(plane.connections):
                    connection.end_idle()
            await asyncio.sleep(0.05)
        for connection in tuple(plane.connections):
            connection.transport.abort()

    async def _say_goodbye(self) -> None:
        self._count()
        deadline = self.plane.clock() + 1
        while len(self._unsent) and self.plane.clock() < deadline:
            await asyncio.sleep(0.01)
        self._link.send(Gone())
        for batch_id, _, encoded in self._unsent:
            spill(self._settings.home, batch_id, encoded)
        self._link.close()
        await asyncio.sleep(0)


def _raise_file_limit() -> None:
    """Every connection is a descriptor: take as many as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run as the master's child."""
    logging.basicConfig(
        level=environ.get("SLIPWAY_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s gateway[%(process)d] %(message)s",
        stream=sys.stderr,
    )
    _raise_file_limit()
    orders = msgspec.json.decode(environ[ORDERS_VARIABLE], type=Orders)
    settings = read_settings(environ)
    gc.set_threshold(50_000, 20, 50)

    async def serve() -> None:
        await Worker(settings, orders, asyncio.get_running_loop()).run()

    with suppress(KeyboardInterrupt):
        uvloop.run(serve())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
