"""A worker's end of one connection to the front: calls come out of it, answers go in.

A seat takes one call after the other. Several may be on their way to it, so that a short run() need not wait for the
next; the front decides how many. Answers to short calls are held, HOLD_S at most, until there are as many as the front
says: waking it for each would cost as much as a short run() itself.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple, Union

from . import busy_poll, context, wire
from .answers import plain_headers
from .call import Call
from .http.request import HttpRequest
from .http.response import HttpResponse, encode_headers
from .rendezvous import Rendezvous
from .wire import INLINE_BYTES, RECEIVE_BYTES, WINDOW_BYTES, Frame, FrameReader, Offer

logger = logging.getLogger("azmlinfsrv")

HOLD_S = 0.001


class Work(NamedTuple):
    """Calls that came at the same time; `is_batch` when they are to be answered together."""

    calls: List[Call]
    is_batch: bool


class FrontGone(Exception):
    """The connection ended without a word. Another front will be there soon."""


class Seat:
    """Used by its own thread, but for `flush` and `send`.

    on_plain: called, if at all, with calls and the JSON of their plain values when these go out.
    """

    def __init__(
        self,
        rendezvous: Rendezvous,
        number: int,
        offer: Offer,
        on_plain: Optional[Callable[[List[Tuple[Call, bytes]]], None]],
        *,
        is_busy_polling: bool,
    ) -> None:
        self._rendezvous = rendezvous
        self.number = number
        self._offer = offer
        self._on_plain = on_plain
        self._is_busy_polling = is_busy_polling
        self._lock = threading.Lock()  # guards the order of what is sent
        self._held: Deque[Union[bytes, Tuple[Call, bytes]]] = deque()
        self._held_since = 0.0
        self._together = 1  # so many answers are worth waking the front
        self._was_short = False  # the latest call
        self._work: Deque[Work] = deque()
        self._streaming: Dict[int, Call] = {}
        self.on_idle: Callable[[], None] = lambda: None  # before it waits for a call
        self.on_next: Callable[[], None] = lambda: None  # between two calls
        self.is_over = False
        self.socket: socket.socket
        self._reader: FrameReader

    # Connecting

    def sit_down(self) -> None:
        """Join the front and wait until it is welcome. Raises FrontGone or OSError."""
        self.socket = self._rendezvous.join()
        self._reader = FrameReader()
        self._held.clear()
        self._work.clear()
        self.send(wire.encode(wire.HELLO, os.getpid(), self.number, tuple(self._offer)))
        welcome = None
        while welcome is None:
            self.receive()
            welcome = self._reader.next()
        if welcome[0] == wire.BYE:
            self.is_over = True

    def sit_down_again(self) -> None:
        """After the front's death: what was to be said is nobody's business any more."""
        with suppress(OSError):
            self.socket.close()
        while True:
            try:
                self.sit_down()
                return
            except (FrontGone, OSError):
                time.sleep(0.05)

    def forget(self) -> None:
        """In a child that the user's code forked: only this process may keep the connection open."""
        with suppress(OSError):
            self.socket.close()

    # Calls

    def next_work(self) -> Optional[Work]:
        """The next calls; waits for them. None when there will be no more. Raises FrontGone."""
        self.on_next()
        work = self._work
        if not work:
            self.take_in()
        while not work and not self.is_over:
            if not self._held or not self.receive_at_once():
                self.on_idle()
                if not self._are_calls_due or not self._receive_busily():
                    self.receive()
            self.take_in()
        return work.popleft() if work else None

    @property
    def _are_calls_due(self) -> bool:
        return self._is_busy_polling and self._together > 1 and self._was_short

    def take_work(self) -> List[Work]:
        """What `take_in` has left."""
        work = list(self._work)
        self._work.clear()
        return work

    def _understand(self, frame: Frame) -> Optional[Work]:
        """Take one frame in; returns the calls in it."""
        kind = frame[0]
        if kind == wire.CALLS:
            _, is_batch, self._together, calls = frame
            return Work([self._call(fields) for fields in calls], is_batch)
        if kind == wire.LONG_CALL:
            _, is_batch, (*fields, _), size = frame
            return Work([self._call((*fields, self._receive_exactly(size)))], is_batch)
        if kind == wire.LINE:
            _log_line(*frame[1:])
        elif kind == wire.CREDIT or kind == wire.GONE:
            call = self._streaming.get(frame[1])
            if call is not None and kind == wire.CREDIT:
                call.under_way_bytes -= frame[2]
            elif call is not None:
                call.is_gone = True
        elif kind == wire.BYE:
            self.is_over = True
        return None

    def _call(self, fields: Tuple[Any, ...]) -> Call:
        number, received_at, request_id, content_type, head, body = fields
        return Call(self, number, HttpRequest(head, content_type, body), request_id, received_at)

    def receive(self) -> None:
        """Wait for bytes. Raises FrontGone."""
        self._reader.feed(self._receive(RECEIVE_BYTES, 0))

    def receive_at_once(self) -> bool:
        """Whether something is here. What is held stays held. Raises FrontGone."""
        try:
            self._reader.feed(self._receive(RECEIVE_BYTES, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False
        return True

    def _receive_busily(self) -> bool:
        """Look for the next call without sleeping. False when none has come in time."""
        if self._held:
            self.flush()
        until = time.perf_counter() + busy_poll.WORKER_S
        while time.perf_counter() < until:
            if self.receive_at_once():
                return True
        return False

    def _receive(self, size: int, flags: int) -> bytes:
        if self._held and not flags & socket.MSG_DONTWAIT:
            self.flush()
        try:
            data = self.socket.recv(size, flags)
        except BlockingIOError:
            raise
        except OSError:
            raise FrontGone from None
        if not data:
            raise FrontGone
        return data

    def _receive_exactly(self, size: int) -> bytes:
        """In one piece where the system can; a signal may cut it."""
        parts = [self._reader.take(size)]
        missing = size - len(parts[0])
        while missing:
            parts.append(self._receive(missing, socket.MSG_WAITALL))
            missing -= len(parts[-1])
        return b"".join(parts) if parts[0] or len(parts) > 2 else parts[1]

    # Answers

    def answer_plainly(self, call: Call, body: bytes) -> None:
        """Send the JSON of a plain value, or hold it while other calls are here already."""
        if len(body) > INLINE_BYTES:
            if self._on_plain is not None:
                self._on_plain([(call, body)])
            self._send_long(call, 200, plain_headers(call.elapsed_s * 1000), body)
            return
        self._was_short = call.elapsed_s < busy_poll.SHORT_CALL_S
        if not self._held:
            self._held_since = call.entered_at
        self._held.append((call, body))
        if len(self._held) >= self._together or call.entered_at + call.elapsed_s - self._held_since > HOLD_S:
            self.flush()

    def answer(self, call: Call, response: HttpResponse) -> None:
        """Send it. Its chunks, if it has any, must follow."""
        number, status, body = call.number, response.status, response.body
        block = encode_headers(response.headers)
        if response.chunks is not None:
            self._streaming[number] = call
            self.send(wire.encode(wire.START, number, status, block, None))
        elif len(body) > INLINE_BYTES:
            self._send_long(call, status, block, body)
        else:
            answer = (number, status, block, body, call.elapsed_s, response.must_close)
            self.send(wire.encode(wire.ANSWERS, [answer]))

    def send_chunk(self, call: Call, chunk: bytes) -> None:
        call.under_way_bytes += len(chunk)
        self._send_chunks(call, chunk)

    def end_stream(self, call: Call, *, is_whole: bool) -> None:
        self._streaming.pop(call.number, None)
        self.send(wire.encode(wire.END, call.number, is_whole))

    def wait_for_room(self, call: Call) -> bool:
        """Until the client has taken enough of the stream. False when it has gone."""
        while not call.is_gone and not self.is_over:
            if call.under_way_bytes > WINDOW_BYTES:
                self.receive()
            elif not self.receive_at_once():
                return True
            self.take_in()
        return False

    def take_in(self) -> None:
        """Everything that has come whole; calls wait."""
        frame = self._reader.next()
        while frame is not None:
            work = self._understand(frame)
            if work is not None:
                self._work.append(work)
            frame = self._reader.next()

    def send(self, data: bytes) -> None:
        """After what is held."""
        self._held.append(data)
        self.flush()

    def flush(self) -> None:
        """Send what is held. From any thread. Raises FrontGone."""
        with self._lock:
            frames: List[bytes] = []
            answers: List[Tuple[Any, ...]] = []
            plain: List[Tuple[Call, bytes]] = []
            while self._held:
                item = self._held.popleft()
                if isinstance(item, tuple):
                    plain.append(item)
                    call, body = item
                    answers.append((call.number, 200, None, body, call.elapsed_s, False))
                    continue
                if answers:
                    frames.append(wire.encode(wire.ANSWERS, answers))
                    answers = []
                frames.append(item)
            if answers:
                frames.append(wire.encode(wire.ANSWERS, answers))
            if plain and self._on_plain is not None:
                self._on_plain(plain)
            try:
                if frames:
                    self.socket.sendall(b"".join(frames))
            except OSError:
                raise FrontGone from None

    def _send_long(self, call: Call, status: int, block: bytes, body: bytes) -> None:
        self.send(wire.encode(wire.START, call.number, status, block, len(body)))
        self._send_chunks(call, body)
        self.send(wire.encode(wire.END, call.number, True))

    def _send_chunks(self, call: Call, data: bytes) -> None:
        for at in range(0, len(data), INLINE_BYTES):
            self.send(wire.encode(wire.CHUNK, call.number, data[at : at + INLINE_BYTES]))


def _log_line(level: int, message: str, request_id: str) -> None:
    with context.about(request_id):
        logger.log(level, "%s", message)
