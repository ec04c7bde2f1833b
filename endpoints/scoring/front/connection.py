"""One client's connection: a socket that never blocks, and the parser of what comes through it."""

from __future__ import annotations

import select
import socket
import time
from typing import Any, Optional

from ..http.parser import RequestParser
from ..http.response import HttpResponse, encode_head, encode_headers
from .outbox import Outbox

RECEIVE_BYTES = 64 * 1024


class Connection:
    """While `ticket` is set, its request is waiting or with a worker. Times are of `time.perf_counter`."""

    __slots__ = (
        "began_at",
        "descriptor",
        "has_failed",
        "is_closed",
        "is_lingering",
        "must_close",
        "outbox",
        "parser",
        "socket",
        "ticket",
        "touched_at",
        "was_told_to_continue",
        "watched",
    )

    def __init__(self, accepted: socket.socket, parser: RequestParser) -> None:
        accepted.setblocking(False)
        self.socket = accepted
        self.descriptor = accepted.fileno()
        self.parser = parser
        self.outbox = Outbox(accepted)
        self.ticket: Optional[Any] = None
        self.watched: Optional[int] = None  # which events the poller looks for; None: not at all
        self.is_closed = False
        self.is_lingering = False  # only waiting for the client to read our last words
        self.must_close = False  # after what is on its way
        self.has_failed = False  # the client takes nothing more
        self.was_told_to_continue = False
        self.touched_at = self.began_at = time.perf_counter()

    def receive(self) -> Optional[bytes]:
        """Bytes, b"" at the end, None when there is nothing now."""
        try:
            return self.socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        """Send what the client takes at once and keep the rest."""
        try:
            self.outbox.send(data)
        except OSError:
            self.has_failed = self.must_close = True

    def send_pending(self) -> bool:
        """Whether nothing is left."""
        try:
            return self.outbox.flush()
        except OSError:
            self.has_failed = self.must_close = True
            return False

    def is_gone(self) -> bool:
        """Whether a client that waits for its answer has hung up."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def has_unread(self) -> bool:
        """Whether a request is on its way in, which a close would break."""
        poller = select.poll()
        poller.register(self.descriptor, select.POLLIN)
        return bool(poller.poll(0))

    def answer(self, response: HttpResponse, *, method: str, keep_alive: bool, is_http10: bool) -> None:
        """Send an answer that is made here."""
        if not keep_alive or response.must_close:
            keep_alive, self.must_close = False, True
        block, body = encode_headers(response.headers), response.body
        head = encode_head(response.status, block, len(body), keep_alive=keep_alive, is_http10=is_http10)
        self.send(head if method == "HEAD" else head + body)

    def hang_up(self) -> None:
        """Say the last word, leave reading open so that the client gets to hear it."""
        self.is_lingering = True
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.is_lingering = False

    def close(self) -> None:
        self.is_closed = True
        self.socket.close()
