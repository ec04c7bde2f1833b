"""One turn after the other: read what came from clients and workers, hand out calls, send what is ready."""

from __future__ import annotations

import ctypes
import logging
import os
import time
from contextlib import suppress
from typing import Callable, List, Tuple

from .. import busy_poll
from ..answers import fatal
from ..child import STACKS_SIGNAL
from ..http.lines import BadRequest
from ..http.response import CONTINUE
from ..wire import BYE, encode
from .clients import Clients
from .connection import Connection
from .dialogue import Dialogue
from .links import Link, Links
from .poller import READ, WRITE, Poller
from .roster import Roster
from .routes import SILENT, Routes
from .ticket import Ticket

logger = logging.getLogger("azmlinfsrv")

SWEEP_S = 1.0
STOPPING_TURN_S = 0.02
PATIENCE_S = 0.05  # a call that waited longer may have lost its client


class Front:
    """Serves until stopped. `flush` hands over log lines; `wake` can be read when a signal has come."""

    def __init__(
        self,
        poller: Poller,
        clients: Clients,
        links: Links,
        roster: Roster,
        routes: Routes,
        *,
        flush: Callable[[], None],
        wake: int,
        is_busy_polling: bool,
    ) -> None:
        self._poller = poller
        self._clients = clients
        self._links = links
        self._roster = roster
        self._routes = routes
        self._flush = flush
        self._wake = wake
        self._is_busy_polling = is_busy_polling
        poller.watch(wake)
        self._dialogue = Dialogue(self, links, roster, routes)
        self.is_stopping = False

    def serve(self, *, graceful_timeout_s: float) -> None:
        """Returns after `is_stopping` was set and everything is answered, or the time is up."""
        next_sweep = 0.0
        deadline = None
        while True:
            self.turn()
            now = time.perf_counter()
            if now >= next_sweep:
                next_sweep = now + SWEEP_S
                self._clients.sweep(now)
                self._report_silence(now)
                self._give_back()
            if not self.is_stopping:
                continue
            if deadline is None:
                deadline = now + graceful_timeout_s
                self._clients.stop_accepting()
            self._clients.close_idle(now)
            if not self._clients or now >= deadline:
                break
        if any(connection.ticket is not None for connection in self._clients.all()):
            logger.warning("run() did not finish within %.1f s of being asked to stop", graceful_timeout_s)
        self._links.say_to_all(encode(BYE))
        self._clients.close_all()
        self._flush()

    def turn(self, at_most_s: float = SWEEP_S) -> None:
        """Do what there is to do; wait for it no longer than so."""
        events = self._wait(at_most_s)
        now = time.perf_counter()
        find_client, find_link = self._clients.find, self._links.find
        for descriptor, event in events:
            connection = find_client(descriptor)
            if connection is not None:
                connection.touched_at = now
                self._on_client(connection, event, now)
                continue
            link = find_link(descriptor)
            if link is not None:
                self._on_link(link, event, now)
            elif descriptor == self._wake:
                os.read(descriptor, 1024)
            else:
                self._clients.accept(descriptor)
                self._links.accept(descriptor)
        self._assign(now)
        self._links.flush()
        self._flush()

    def _wait(self, at_most_s: float) -> List[Tuple[int, int]]:
        timeout_s = min(at_most_s, self._timeout_s())
        if self._is_busy_polling and self._roster.is_answer_due:
            return self._poller.poll_busily(min(timeout_s, busy_poll.FRONT_S)) or self._poller.poll(timeout_s)
        return self._poller.poll(timeout_s)

    def _timeout_s(self) -> float:
        if self.is_stopping:
            return STOPPING_TURN_S
        change = self._roster.next_change_s(time.perf_counter()) if self._roster.waiting else None
        return SWEEP_S if change is None else min(SWEEP_S, change)

    # Clients

    def _on_client(self, connection: Connection, event: int, now: float) -> None:
        if event & ~(READ | WRITE):
            self.lose(connection)
        elif connection.outbox.pieces:
            if event & WRITE:
                is_empty = connection.send_pending()
                if is_empty and connection.ticket is not None:
                    self._dialogue.on_taken(connection.ticket)
                self.settle(connection, now)
        elif connection.ticket is not None:
            self._clients.watch(connection, 0)  # what follows must wait for the answer
        else:
            self._read(connection, now)

    def _read(self, connection: Connection, now: float) -> None:
        data = connection.receive()
        if data is None:
            return
        if not data:
            self._clients.close(connection)
        elif not connection.is_lingering:
            if connection.parser.is_idle:
                connection.began_at = now
            connection.parser.feed(data)
            self._advance(connection, now)

    def _advance(self, connection: Connection, now: float) -> None:
        """Answer every request that has come whole, or give it away and wait."""
        while True:
            try:
                request = connection.parser.next_request()
            except BadRequest as bad:
                response = fatal(bad.status, str(bad))
                connection.answer(response, method="GET", keep_alive=False, is_http10=False)
                self.settle(connection, now)
                return
            if request is None:
                if connection.parser.awaits_continue and not connection.was_told_to_continue:
                    connection.was_told_to_continue = True
                    connection.send(CONTINUE)
                return
            connection.was_told_to_continue = False
            connection.began_at = now
            begun = self._routes.begin(request, now)
            if isinstance(begun, Ticket):
                begun.connection = connection
                connection.ticket = begun
                self._roster.submit(begun)
                if self._roster.is_idle:
                    self._assign(now)
                return
            keep_alive = request.keep_alive and not self.is_stopping
            connection.answer(begun, method=request.method, keep_alive=keep_alive, is_http10=request.is_http10)
            if connection.must_close or connection.outbox.pieces:
                self.settle(connection, now)
                return

    def settle(self, connection: Connection, now: float) -> None:
        """After something was sent: wait for the client to take the rest, close, or read on."""
        if connection.is_closed:
            return
        if connection.has_failed:
            self.lose(connection)
        elif connection.outbox.pieces:
            self._clients.watch(connection, WRITE)
        elif connection.ticket is not None:
            self._clients.watch(connection, READ)
        elif connection.must_close:
            self._clients.hang_up(connection)
        else:
            self._clients.watch(connection, READ)
            if not connection.parser.is_idle:
                self._advance(connection, now)

    def lose(self, connection: Connection) -> None:
        """The client is gone, or shall have no answer. A call that waits is dropped when its turn comes."""
        ticket = connection.ticket
        self._clients.close(connection)
        if ticket is not None:
            self._dialogue.on_gone(ticket)

    # Workers

    def _assign(self, now: float) -> None:
        """Give calls to whoever is free. A seat that was idle gets them at once, the others at the end of the turn."""
        while (assignment := self._roster.next_assignment(now)) is not None:
            seat, tickets = assignment
            wanted = [ticket for ticket in tickets if not self._is_unwanted(ticket, now)]
            self._dialogue.send_calls(seat, wanted)
            if len(wanted) < len(tickets):
                for ticket in set(tickets).difference(wanted):
                    self._roster.done(seat, ticket.number, None, now)
            if wanted and len(seat.tickets) == len(wanted):
                self._links.flush_one(seat.link)

    def _is_unwanted(self, ticket: Ticket, now: float) -> bool:
        connection = ticket.connection
        if not connection.is_closed and now - ticket.received_at > PATIENCE_S and connection.is_gone():
            self._clients.close(connection)
        return bool(connection.is_closed)

    def _on_link(self, link: Link, event: int, now: float) -> None:
        if event & WRITE:
            self._links.flush_one(link)
        if event & ~WRITE:
            is_there = self._links.receive(link)
            self._dialogue.on_frames(link, now)
            if not is_there:
                self._on_lost(link)

    def _report_silence(self, now: float) -> None:
        """A worker that cannot run Python cannot say where it is stuck; its signal handler can."""
        for pid, seconds in self._roster.unreported_silences(now).items():
            logger.error("%s Its stacks follow.", SILENT % (pid, seconds))
            with suppress(OSError):
                os.kill(pid, STACKS_SIGNAL)

    def _give_back(self) -> None:
        """Long bodies have passed: without this the C library may keep what they took as long as the front lives."""
        if self._links.has_passed_long:
            self._links.has_passed_long = False
            with suppress(OSError, AttributeError):  # another C library
                ctypes.CDLL(None).malloc_trim(0)

    def open(self) -> None:
        """Somebody is there to answer."""
        if not self.is_stopping:
            self._clients.open()

    def _on_lost(self, link: Link) -> None:
        """A worker is gone: its callers get no answer, for nobody knows what their calls have done."""
        self._links.close(link)
        if link.seat is None:
            return
        for ticket in self._roster.leave(link.seat):
            self._clients.close(ticket.connection)
        if not self._roster:
            self._roster.waiting.clear()
            self._clients.stop_accepting()
            self._clients.close_all()
