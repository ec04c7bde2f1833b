"""One client's connection: a socket that never blocks, and the parser of what comes through it."""

from __future__ import annotations

import select
import socket
import time
from typing import Optional

from .http.parser import RequestParser
from .http.response import HttpResponse, encode_chunk, encode_head

RECEIVE_BYTES = 64 * 1024
SEND_STALL_S = 60.0


class Connection:
    """Belongs to one thread at a time: to whoever polls, or while `is_busy` to whoever runs its request."""

    __slots__ = (
        "began_at",
        "descriptor",
        "is_busy",
        "is_closed",
        "is_lingering",
        "is_watched",
        "must_close",
        "parser",
        "pending",
        "socket",
        "touched_at",
        "was_told_to_continue",
    )

    def __init__(self, accepted: socket.socket, parser: RequestParser) -> None:
        accepted.setblocking(False)
        self.socket = accepted
        self.descriptor = accepted.fileno()
        self.parser = parser
        self.pending = b""  # what the client has not taken yet
        self.is_busy = False  # its request is with a thread that runs user code, or waits for one
        self.is_watched = False
        self.is_closed = False
        self.is_lingering = False  # only waiting for the client to read our last words
        self.must_close = False
        self.was_told_to_continue = False
        self.touched_at = self.began_at = time.monotonic()

    def receive(self) -> Optional[bytes]:
        """Bytes, b"" at the end, None when there is nothing now."""
        try:
            return self.socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        """Send what the client takes at once and keep the rest as `pending`."""
        if self.is_closed:
            return
        if self.pending:
            self.pending += data
            return
        try:
            sent = self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.must_close = True
            return
        if sent < len(data):
            self.pending = data[sent:]

    def send_pending(self) -> None:
        data, self.pending = self.pending, b""
        self.send(data)

    def send_waiting(self, data: bytes) -> bool:
        """Send all of it, waiting for the client. False when the client is gone or takes nothing for a minute."""
        if self.pending:
            data, self.pending = self.pending + data, b""
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
            except (BlockingIOError, InterruptedError):
                poller = select.poll()
                poller.register(self.descriptor, select.POLLOUT)
                if not poller.poll(SEND_STALL_S * 1000):
                    self.must_close = True
                    return False
            except OSError:
                self.must_close = True
                return False
        return True

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

    def answer(self, response: HttpResponse, *, method: str, keep_alive: bool, is_http10: bool) -> bool:
        """Send head and body; of a streamed answer the head only. Returns whether a stream's chunks must follow."""
        is_streamed = response.chunks is not None and method != "HEAD"
        keep_alive = keep_alive and not response.must_close and not (is_streamed and is_http10)
        head = encode_head(response, keep_alive=keep_alive, is_http10=is_http10)
        if not keep_alive:
            self.must_close = True
        if is_streamed:
            return self.send_waiting(head)
        self.send(head if method == "HEAD" else head + response.body)
        return False

    def frame(self, chunk: bytes, *, is_http10: bool) -> bytes:
        return chunk if is_http10 else encode_chunk(chunk)

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
