"""Bytes on their way into a socket that never blocks. Knows nothing of what they say."""

from __future__ import annotations

import socket
from collections import deque
from typing import Deque, List, Union

SEND_BYTES = 64 * 1024  # smaller pieces are joined up to this

Piece = Union[bytes, memoryview]


class Outbox:
    """In order, as fast as the other side takes them."""

    __slots__ = ("_socket", "pieces")

    def __init__(self, target: socket.socket) -> None:
        self._socket = target
        self.pieces: Deque[Piece] = deque()  # what the other side has not taken

    def put(self, data: bytes) -> None:
        self.pieces.append(data)

    def send(self, data: bytes) -> None:
        """`put` and `flush`, without the detour when nothing waits. Raises OSError."""
        if self.pieces:
            self.pieces.append(data)
            return
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent < len(data):
            self.pieces.append(memoryview(data)[sent:])

    def flush(self) -> bool:
        """Whether nothing waits any more. Raises OSError."""
        pieces = self.pieces
        while pieces:
            data = self._next()
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            if sent < len(data):
                pieces.appendleft(memoryview(data)[sent:])
                return False
        return True

    def _next(self) -> Piece:
        pieces = self.pieces
        first = pieces.popleft()
        size = len(first)
        if size >= SEND_BYTES or not pieces:
            return first
        together: List[Piece] = [first]
        while pieces and size < SEND_BYTES:
            together.append(pieces.popleft())
            size += len(together[-1])
        return b"".join(together)
