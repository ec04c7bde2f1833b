"""What the front and its workers tell each other: calls there, answers and streams back to the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Tuple

from .. import wire
from ..answers import plain_headers
from ..http.response import LAST_CHUNK, encode_chunk, encode_head
from ..wire import Frame, Offer
from .connection import Connection
from .links import Link, Links
from .roster import Roster, Seat
from .routes import Routes
from .ticket import Ticket

if TYPE_CHECKING:
    from .front import Front

CREDIT_BYTES = wire.WINDOW_BYTES // 4  # a worker is told of what its client took in steps of this


class Dialogue:
    def __init__(self, front: Front, links: Links, roster: Roster, routes: Routes) -> None:
        self._front = front
        self._links = links
        self._roster = roster
        self._routes = routes

    def send_calls(self, seat: Seat, tickets: List[Ticket]) -> None:
        self._links.put_calls(seat.link, tickets, is_batch=seat.crew.offer.kind == wire.BATCHING)

    # From workers

    def on_frames(self, link: Link, now: float) -> None:
        """Act on everything that has come whole."""
        frame = link.reader.next()
        if frame is not None and link.seat is not None:
            self._roster.heard(link.seat, now)
        while frame is not None:
            kind = frame[0]
            if kind == wire.ANSWERS:
                for answer in frame[1]:
                    self._on_answer(link, answer, now)
            elif kind == wire.CHUNK:
                self._on_chunk(link, frame[1], frame[2], now)
            elif kind == wire.START:
                self._on_start(link, frame)
            elif kind == wire.END:
                self._on_end(link, frame[1], now, is_whole=frame[2])
            elif kind == wire.HELLO:
                self._on_hello(link, now, *frame[1:])
            frame = link.reader.next()

    def _on_hello(self, link: Link, now: float, pid: int, number: int, offer: Tuple[object, ...]) -> None:
        known = Offer(*offer)  # type: ignore[arg-type]
        link.seat = self._roster.join(link, pid, number, known, now)
        self._routes.learn(known)
        self._links.put(link, wire.encode(wire.WELCOME))
        self._front.open()

    def _on_answer(self, link: Link, answer: Tuple[int, int, Optional[bytes], bytes, float, bool], now: float) -> None:
        number, status, block, body, elapsed_s, must_close = answer
        ticket = self._done(link, number, elapsed_s, now)
        if ticket is None:
            return
        connection, request = ticket.connection, ticket.request
        if block is None:
            block = plain_headers(elapsed_s * 1000)
        head = self._head(ticket, status, block, len(body), must_close=must_close)
        connection.send(head if request.line.method == "HEAD" else head + body)
        self._front.settle(connection, now)

    def _on_start(self, link: Link, frame: Frame) -> None:
        _, number, status, block, length = frame
        ticket = self._ticket(link, number)
        if ticket is None:
            return
        is_http10 = ticket.request.is_http10
        ticket.is_chunked = length is None and not is_http10
        ticket.has_credit = length is None
        ticket.connection.send(self._head(ticket, status, block, length, must_close=length is None and is_http10))

    def _on_chunk(self, link: Link, number: int, chunk: bytes, now: float) -> None:
        ticket = self._ticket(link, number)
        if ticket is None or ticket.request.method == "HEAD":
            return
        connection = ticket.connection
        connection.touched_at = now
        connection.send(encode_chunk(chunk) if ticket.is_chunked else chunk)
        ticket.untold_bytes += len(chunk)
        if connection.outbox.pieces or connection.has_failed:
            self._front.settle(connection, now)
        else:
            self.on_taken(ticket)

    def _on_end(self, link: Link, number: int, now: float, *, is_whole: bool) -> None:
        seat = link.seat
        sent_at = seat.tickets[number].sent_at if seat is not None and number in seat.tickets else now
        ticket = self._done(link, number, now - sent_at, now)
        if ticket is None:
            return
        if not is_whole:
            ticket.connection.must_close = True  # the missing end tells the client
        elif ticket.is_chunked and ticket.request.method != "HEAD":
            ticket.connection.send(LAST_CHUNK)
        self._front.settle(ticket.connection, now)

    # To workers

    def on_taken(self, ticket: Ticket) -> None:
        """The client has taken all there was of a stream."""
        if ticket.has_credit and ticket.untold_bytes >= CREDIT_BYTES and ticket.seat is not None:
            self._links.put(ticket.seat.link, wire.encode(wire.CREDIT, ticket.number, ticket.untold_bytes))
            ticket.untold_bytes = 0

    def on_gone(self, ticket: Ticket) -> None:
        """Nobody waits for the rest of its stream any more."""
        if ticket.has_credit and ticket.seat is not None and ticket.number in ticket.seat.tickets:
            self._links.put(ticket.seat.link, wire.encode(wire.GONE, ticket.number))

    # Both

    def _ticket(self, link: Link, number: int) -> Optional[Ticket]:
        """None when its client has gone."""
        ticket = link.seat.tickets.get(number) if link.seat is not None else None
        return None if ticket is None or ticket.connection.is_closed else ticket

    def _done(self, link: Link, number: int, elapsed_s: float, now: float) -> Optional[Ticket]:
        ticket = self._roster.done(link.seat, number, elapsed_s, now) if link.seat is not None else None
        if ticket is None:
            return None
        connection: Connection = ticket.connection
        connection.ticket = None
        return None if connection.is_closed else ticket

    def _head(self, ticket: Ticket, status: int, block: bytes, length: Optional[int], *, must_close: bool) -> bytes:
        request, connection = ticket.request, ticket.connection
        if not must_close or length is None:
            block += self._routes.added_headers(request, ticket.ids)
        keep_alive = not must_close and request.keep_alive and not self._front.is_stopping
        if not keep_alive:
            connection.must_close = True
        return encode_head(status, block, length, keep_alive=keep_alive, is_http10=request.is_http10)
