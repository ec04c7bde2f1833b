"""The client's side of HTTP/1.1: finds requests in the bytes, one exchange at a time, and keeps slow clients in check.

Requests of one connection are answered in order; what is pipelined behind the current one waits in `_held`.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final, cast

from endpoints.gateway.chunked import BadChunk, ChunkedDecoder
from endpoints.gateway.errors import Refusal, malformed
from endpoints.gateway.exchange import Exchange
from endpoints.gateway.flow import PIPELINED, UNREAD
from endpoints.gateway.parsing import MAX_HEAD_BYTES, RequestHead, means_health, parse_request_head
from endpoints.gateway.rendering import CONTINUE, status_line

if TYPE_CHECKING:
    from endpoints.gateway.plane import DataPlane

MAX_PIPELINED_BYTES: Final = 64 * 1024
LINGER_SECONDS: Final = 2.0
SLOWEST_BODY_BYTES: Final = 16 * 1024  # in one body time-out; a client below that is cut off
_NO_HEAD: Final = RequestHead(b"", b"", 1)
_HEAD: Final = 0
_BODY: Final = 1
_ANSWERING: Final = 2
_TUNNEL: Final = 3
_DISCARD: Final = 4
_CLOSED: Final = 5


class ClientConnection:
    """One client's connection. deadline and due belong to the timer wheel.

    An asyncio protocol by its methods; it inherits from none, so that it can be compiled.
    """

    __slots__ = (
        "_body_bytes",
        "_decoder",
        "_has_ended",
        "_held",
        "_idle_timeout",
        "_is_invited",
        "_is_unread",
        "_last_head",
        "_last_raw",
        "_pauses",
        "_remaining",
        "_state",
        "deadline",
        "due",
        "exchange",
        "forwarded_fields",
        "is_keep_alive",
        "peer",
        "plane",
        "refusal",
        "transport",
    )

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.exchange: Exchange | None = None
        self.is_keep_alive = True
        self.deadline = inf
        self.due = inf
        self.peer = ""
        self.forwarded_fields = b""
        self.refusal: Refusal | None = None  # of a connection too many: what each request but for health gets
        self._state = _HEAD
        self._held = b""
        self._last_raw = b""
        self._last_head = _NO_HEAD
        self._decoder: ChunkedDecoder | None = None
        self._remaining = 0
        self._body_bytes = 0
        self._pauses = 0
        self._idle_timeout = plane.settings.idle_timeout
        self._is_invited = False
        self._is_unread = False
        self._has_ended = False

    # asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.peer = str(address[0]) if isinstance(address, tuple) else "local"
        scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self.forwarded_fields = f"\r\nx-forwarded-for: {self.peer}\r\nx-forwarded-proto: {scheme}".encode()
        self.refusal = self.plane.opened(self)
        self.arm(self.plane.clock() + self.plane.settings.head_timeout)

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == _HEAD:
            head = self._last_head
            # Clients repeat themselves: the same head again needs neither be read nor decided about.
            if not self._held and head.is_usual_for is self.plane.book.table and data.startswith(self._last_raw):
                body = data[len(self._last_raw) :]
                if len(body) == head.content_length:
                    self._state = _ANSWERING
                    self.is_keep_alive = not self._has_ended and head.is_keep_alive
                    usual = self.exchange = Exchange(self, head, self.plane.clock())
                    usual.begin_usual(body)
                    return
            self._read_head(self._held + data if self._held else data)
        elif state == _BODY:
            self._read_body(data)
        elif state == _ANSWERING:
            self._held += data
            if len(self._held) > MAX_PIPELINED_BYTES:
                self.pause_reading(PIPELINED)
        elif state == _TUNNEL:
            exchange = self.exchange
            if exchange is not None and exchange.upstream is not None:
                exchange.request_bytes += len(data)
                exchange.upstream.transport.write(data)

    def eof_received(self) -> bool:
        """A client may close its half and still want its answer."""
        self._has_ended = True
        if self._state == _ANSWERING:
            self.is_keep_alive = False
            return bool(self.transport.can_write_eof())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _CLOSED
        self.plane.closed(self)
        exchange = self.exchange
        if exchange is not None:
            exchange.abort()

    def pause_writing(self) -> None:
        self._is_unread = True
        exchange = self.exchange
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.pause(UNREAD)

    def resume_writing(self) -> None:
        self._is_unread = False
        exchange = self.exchange
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.resume(UNREAD)
        if self._pauses & UNREAD:
            self.resume_reading(UNREAD)
            self._go_on()

    # Reading -------------------------------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> None:
        plane = self.plane
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            self._wait_for_head(data)
            return
        raw = data[:end]
        if raw == self._last_raw:
            head = self._last_head
        else:
            try:
                head = self._parse(raw)
            except Refusal as refusal:
                if data.startswith(b"\r\n") and data != b"\r\n":  # an empty line before a request is harmless
                    self._read_head(data[2:])
                else:
                    self.refuse(refusal)
                return
            if self.refusal is not None and not means_health(head):
                self.refuse(self.refusal)
                return
            plane.inherit(head, self._last_head)
            self._last_raw, self._last_head = raw, head
        self._held = b""
        body = data[end:]
        length = head.content_length
        self.is_keep_alive = head.is_keep_alive and not self._has_ended
        exchange = self.exchange = Exchange(self, head, plane.clock())
        if length == len(body):
            self._state = _ANSWERING
            if head.is_usual_for is plane.book.table:
                exchange.begin_usual(body)
            else:
                exchange.begin(body, True)
        elif 0 <= length < len(body):
            self._state = _ANSWERING
            self._held = body[length:]
            exchange.begin(body[:length], True)
        else:
            self._begin_body(exchange, head, body)

    def _parse(self, raw: bytes) -> RequestHead:
        if len(raw) > MAX_HEAD_BYTES:
            raise malformed("The request's head is too large.", status=431, code="HeadersTooLarge")
        return parse_request_head(raw)

    def _wait_for_head(self, data: bytes) -> None:
        if len(data) > MAX_HEAD_BYTES:
            self.refuse(malformed("The request's head is too large.", status=431, code="HeadersTooLarge"))
            return
        newline = data.find(b"\n")
        if newline == 0 or (newline > 0 and data[newline - 1] != 0x0D):
            self.refuse(malformed("A line of the request's head does not end with CRLF."))
            return
        if not self._held:
            self.arm(self.plane.clock() + self.plane.settings.head_timeout)
        self._held = data

    def _begin_body(self, exchange: Exchange, head: RequestHead, body: bytes) -> None:
        self._state = _BODY
        self._is_invited = bool(body)
        self._body_bytes = 0
        is_complete = False
        if head.content_length < 0:
            self._decoder = ChunkedDecoder()
            try:
                body = b"".join(self._decoder.feed(body))
            except BadChunk as bad:
                self.exchange = None
                self.refuse(malformed(str(bad)))
                return
            is_complete = self._decoder.is_done
        else:
            self._remaining = head.content_length - len(body)
        if is_complete:
            self._end_body()
        else:
            self.arm(self.plane.clock() + self.plane.settings.body_timeout)
        exchange.begin(body, is_complete)

    def _end_body(self) -> None:
        self._state = _ANSWERING
        if self._decoder is not None:
            self._held = self._decoder.rest
            self._decoder = None

    def _read_body(self, data: bytes) -> None:
        exchange = cast(Exchange, self.exchange)
        self._is_invited = True
        self._body_bytes += len(data)
        if self._decoder is not None:
            try:
                data = b"".join(self._decoder.feed(data))
            except BadChunk as bad:
                exchange.refuse(malformed(str(bad)))
                return
            is_complete = self._decoder.is_done
        else:
            if len(data) > self._remaining:
                self._held = data[self._remaining :]
                data = data[: self._remaining]
            self._remaining -= len(data)
            is_complete = not self._remaining
        if is_complete:
            self._end_body()
        if data or is_complete:
            exchange.receive(data, is_complete)

    def invite_body(self) -> None:
        """The body is wanted now: say so to a client that waits for it."""
        if not self._is_invited:
            self._is_invited = True
            if self._last_head.expects_continue:
                self.transport.write(CONTINUE)

    # What exchanges ask for ----------------------------------------------------------------------------------

    def exchange_done(self, now: float) -> None:
        """The answer is written: the next request, or the end."""
        self.exchange = None
        if self._state == _ANSWERING and self.is_keep_alive:
            self._state = _HEAD
            deadline = self.deadline = now + self._idle_timeout
            if deadline < self.due:
                self.arm(deadline)
            if self._is_unread:
                self.pause_reading(UNREAD)
            elif self._held or self._pauses:
                self._go_on()
        elif self._state == _BODY:
            self._linger()
        elif self._state != _CLOSED:
            self.transport.close()

    def open_tunnel(self) -> None:
        """From here on bytes pass as they come."""
        self._state = _TUNNEL
        self.plane.wheel.arm(self, inf)
        exchange = self.exchange
        if self._held and exchange is not None and exchange.upstream is not None:
            exchange.upstream.transport.write(self._held)
            self._held = b""

    def arm(self, deadline: float) -> None:
        """Move the one deadline."""
        self.plane.wheel.arm(self, deadline)

    def pause_reading(self, reason: int) -> None:
        if not self._pauses and not self.transport.is_closing():
            self.transport.pause_reading()
        self._pauses |= reason

    def resume_reading(self, reason: int) -> None:
        if self._pauses:
            self._pauses &= ~reason
            if not self._pauses and not self.transport.is_closing():
                self.transport.resume_reading()

    # Ending --------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self.plane.loop.call_soon(self._next)

    def _next(self) -> None:
        """The pipelined request; not called directly, so that a thousand of them do not nest."""
        if self._state != _HEAD or self._pauses & UNREAD:
            return
        held, self._held = self._held, b""
        self.resume_reading(PIPELINED)
        if held:
            self._read_head(held)

    def refuse(self, refusal: Refusal) -> None:
        """Bytes that are no request: answer and end the connection."""
        body = refusal.body()
        request_id = self.plane.request_ids.take()
        self.transport.write(
            b"%b%b\r\nx-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status_line(refusal.status), refusal.fields(), request_id, len(body), body)
        )
        self.plane.record_malformed(refusal)
        self._linger()

    def _linger(self) -> None:
        """Close without a reset that could destroy the answer under way: stop talking, let the client finish."""
        if self._state == _CLOSED or self.transport.is_closing():
            return
        self._state = _DISCARD
        self._held = b""
        if not self.transport.can_write_eof() or self._has_ended:
            self.transport.close()
            return
        self._pauses = 0
        self.transport.resume_reading()
        self.transport.write_eof()
        self.arm(self.plane.clock() + LINGER_SECONDS)

    def end_idle(self) -> None:
        """The gateway stops: end if nothing is under way."""
        if self._state == _HEAD and not self._held:
            self.transport.close()

    def expire(self, now: float) -> None:
        """The deadline has passed: called by the timer wheel."""
        if self._state == _HEAD:
            if self._held:
                self.refuse(Refusal(408, "SlowClient", "The request's head did not arrive in time.", is_final=True))
            else:
                self.transport.close()
        elif self._state == _DISCARD:
            self.transport.abort()
        elif self.exchange is not None:
            if self._state == _BODY and (self._pauses or self._body_bytes >= SLOWEST_BODY_BYTES):
                self._body_bytes = 0
                self.arm(now + self.plane.settings.body_timeout)
            else:
                self.exchange.expire(now)
