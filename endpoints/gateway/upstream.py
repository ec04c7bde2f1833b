"""One connection to an instance: writes a request, reads its answer, hands both on to a sink. Knows no endpoint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from endpoints.gateway.chunked import BadChunk, ChunkedDecoder
from endpoints.gateway.parsing import UNTIL_CLOSE, AnswerHead, BadAnswer, parse_answer_head

if TYPE_CHECKING:
    from endpoints.gateway.instances import Instance

MAX_ANSWER_HEAD_BYTES: Final = 64 * 1024
_NOTHING_YET: Any = None
_IDLE: Final = 0
_HEAD: Final = 1
_LENGTH: Final = 2
_CHUNKED: Final = 3
_UNTIL_CLOSE: Final = 4
_TUNNEL: Final = 5
_CLOSED: Final = 6


class Sink:
    """Who asked. Calls come in this order: one answer, any number of pieces, then complete or broken.

    is_sent: the whole request has been handed to the connection. is_usual: a 200 that comes whole may go to
    `answer_usual`.
    """

    __slots__ = ("is_head_request", "is_sent", "is_usual")

    def __init__(self, *, is_head_request: bool, is_sent: bool) -> None:
        self.is_head_request = is_head_request
        self.is_sent = is_sent
        self.is_usual = False

    def on_answer(self, head: AnswerHead, body: bytes, is_complete: bool) -> None:
        """The head and what came with it; with is_complete nothing else follows."""
        raise NotImplementedError

    def answer_usual(self, head: AnswerHead, body: bytes) -> None:
        """The short way of `on_answer` for what is_usual."""
        raise NotImplementedError

    def on_piece(self, piece: bytes) -> None:
        """More of the body."""
        raise NotImplementedError

    def on_complete(self) -> None:
        """The body has ended properly."""
        raise NotImplementedError

    def on_broken(self, *, is_bad: bool) -> None:
        """No (whole) answer: the connection ended, or what came is_bad HTTP."""
        raise NotImplementedError

    def on_upgraded(self, head: AnswerHead, data: bytes) -> None:
        """101: from here on the connection carries raw bytes."""
        raise NotImplementedError

    def on_writable(self, is_writable: bool) -> None:
        """Back-pressure of the instance."""
        raise NotImplementedError


NOBODY: Final = Sink(is_head_request=False, is_sent=False)  # whose connection it is between two requests


class UpstreamConnection:
    """Used by one sink at a time; goes back to its instance's pool by itself when an answer is complete.

    An asyncio protocol by its methods; it inherits from none, so that it can be compiled.
    """

    __slots__ = (
        "_buffer",
        "_decoder",
        "_is_keep_alive",
        "_pauses",
        "_remaining",
        "_state",
        "instance",
        "is_fresh",
        "sink",
        "transport",
    )

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.transport: asyncio.Transport = _NOTHING_YET
        self.sink = NOBODY
        self.is_fresh = True  # has not served a request yet: a break is the instance's fault, not an idle time-out
        self._state = _IDLE
        self._buffer = b""
        self._remaining = 0
        self._is_keep_alive = True
        self._pauses = 0
        self._decoder: ChunkedDecoder | None = None

    def send(self, sink: Sink, data: bytes) -> None:
        """Begin a request with its head and as much of its body as there is."""
        self.sink = sink
        self._state = _HEAD
        self.transport.write(data)

    def abandon(self) -> None:
        """The sink wants no more: the connection ends, since its answer is still to come."""
        self.sink = NOBODY
        self._state = _CLOSED
        self.transport.abort()

    def pause(self, reason: int) -> None:
        """Take no more from the instance."""
        if not self._pauses and not self.transport.is_closing():
            self.transport.pause_reading()
        self._pauses |= reason

    def resume(self, reason: int) -> None:
        """The reason holds no longer."""
        if self._pauses:
            self._pauses &= ~reason
            if not self._pauses and not self.transport.is_closing():
                self.transport.resume_reading()

    # asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == _HEAD:
            self._read_head(self._buffer + data if self._buffer else data)
        elif state == _LENGTH:
            self._read_length(data)
        elif state == _CHUNKED:
            self._read_chunks(data)
        elif state in (_UNTIL_CLOSE, _TUNNEL):
            if self.sink is not NOBODY:
                self.sink.on_piece(data)
        elif state == _IDLE:  # nobody asked: not a server to trust with the next request
            self._end()

    def eof_received(self) -> bool:
        return self._state == _TUNNEL

    def connection_lost(self, exc: Exception | None) -> None:
        state, self._state = self._state, _CLOSED
        self.instance.lost(self)
        sink, self.sink = self.sink, NOBODY
        if sink is NOBODY:
            return
        if state in (_UNTIL_CLOSE, _TUNNEL) and exc is None:
            sink.on_complete()
        else:
            sink.on_broken(is_bad=False)

    def pause_writing(self) -> None:
        if self.sink is not NOBODY:
            self.sink.on_writable(False)

    def resume_writing(self) -> None:
        if self.sink is not NOBODY:
            self.sink.on_writable(True)

    # Reading -------------------------------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> None:
        instance = self.instance
        known = instance.last_head
        if known is not None and self.sink.is_usual and not self._pauses and data.startswith(instance.last_answer):
            body = data[len(instance.last_answer) :]
            if len(body) == known.content_length:
                self._usual(known, body)
                return
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = data
            if len(data) > MAX_ANSWER_HEAD_BYTES:
                self._break()
            return
        self._buffer = b""
        try:
            head = parse_answer_head(data[:end])
        except BadAnswer:
            self._break()
            return
        body = data[end + 4 :]
        status = head.status
        if status < 200:
            self._read_interim(head, body)
            return
        sink = self.sink
        self._is_keep_alive = head.is_keep_alive
        if sink.is_head_request or status == 204 or status == 304:
            self._whole(head, b"", body)
        elif (length := head.content_length) >= 0:
            if len(body) == length:
                if sink.is_usual and status == 200 and head.is_keep_alive and not self._pauses:
                    instance.last_answer, instance.last_head = data[: end + 4], head
                    self._usual(head, body)
                else:
                    self._done(b"")
                    sink.on_answer(head, body, True)
            elif len(body) > length:
                self._whole(head, body[:length], body[length:])
            else:
                self._state = _LENGTH
                self._remaining = length - len(body)
                sink.on_answer(head, body, False)
        else:
            self._stream(head, body)

    def _usual(self, head: AnswerHead, body: bytes) -> None:
        """`_done` and `on_answer` in one, for a 200 that came whole to a usual request."""
        sink = self.sink
        self.sink = NOBODY
        self._state = _IDLE
        self.is_fresh = False
        self._is_keep_alive = True
        self.instance.put_back(self)
        sink.answer_usual(head, body)

    def _whole(self, head: AnswerHead, body: bytes, rest: bytes) -> None:
        sink = self._done(rest)
        sink.on_answer(head, body, True)

    def _stream(self, head: AnswerHead, body: bytes) -> None:
        sink = self.sink
        if head.content_length == UNTIL_CLOSE:
            self._state = _UNTIL_CLOSE
            sink.on_answer(head, body, False)
            return
        self._state = _CHUNKED
        self._decoder = ChunkedDecoder()
        sink.on_answer(head, b"", False)
        if body and self._state == _CHUNKED:
            self._read_chunks(body)

    def _read_interim(self, head: AnswerHead, rest: bytes) -> None:
        sink = self.sink
        if head.status == 101:
            self._state = _TUNNEL
            sink.on_upgraded(head, rest)
        elif rest:
            self._read_head(rest)

    def _read_length(self, data: bytes) -> None:
        sink = self.sink
        remaining = self._remaining
        if len(data) < remaining:
            self._remaining = remaining - len(data)
            sink.on_piece(data)
            return
        rest = data[remaining:]
        sink.on_piece(data[:remaining] if rest else data)
        if self.sink is sink:
            self._done(rest).on_complete()

    def _read_chunks(self, data: bytes) -> None:
        sink, decoder = self.sink, cast(ChunkedDecoder, self._decoder)
        try:
            pieces = decoder.feed(data)
        except BadChunk:
            self._break()
            return
        for piece in pieces:
            sink.on_piece(piece)
            if self.sink is not sink:
                return
        if decoder.is_done:
            self._decoder = None
            self._done(decoder.rest).on_complete()

    def _done(self, rest: bytes) -> Sink:
        """The answer is whole: the connection serves the next request or ends."""
        sink = self.sink
        self.sink = NOBODY
        if self._is_keep_alive and not rest and sink.is_sent:
            self._state = _IDLE
            self.is_fresh = False
            if self._pauses:
                self.resume(self._pauses)
            self.instance.put_back(self)
        else:
            self._end()
        return sink

    def _break(self) -> None:
        sink, self.sink = self.sink, NOBODY
        self._end()
        if sink is not NOBODY:
            sink.on_broken(is_bad=True)

    def _end(self) -> None:
        self._state = _CLOSED
        self.instance.lost(self)
        self.transport.abort()
