"""What the front and a worker say to each other: frames on a stream of bytes. Knows no sockets.

A frame is a tuple, its kind first, marshalled behind its length. Both ends are forks of one process, so Python's own
fastest format will do; nobody else gets to speak here (see `rendezvous`).
"""

from __future__ import annotations

import marshal
import struct
from typing import Any, Dict, NamedTuple, Optional, Tuple

Frame = Tuple[Any, ...]

# From a worker
HELLO = 1  # process id, seat number, its Offer
# list of: call number, status, encoded headers or None (those of a plain value), body, seconds in run(), whether the
# connection must end
ANSWERS = 2
START = 3  # call number, status, encoded headers, length or None: chunks follow
CHUNK = 4  # call number, bytes
END = 5  # call number, whether the body is whole
PULSE = 6  # nothing: the worker still runs Python

# From the front
WELCOME = 11
# whether they belong together, how many answers to send together, list of: call number, received at, request id,
# content type, head, body
CALLS = 12
LONG_CALL = 13  # whether it is a batch, such fields of one call, the size of its body, which follows unframed
LINE = 14  # level, message, request id: to be logged as the user's logging.json says
CREDIT = 15  # call number, bytes of its stream that the client has taken
GONE = 16  # call number: nobody waits for the rest of its stream
BYE = 17

PLAIN, AWAITING, BATCHING = "plain", "awaiting", "batching"

INLINE_BYTES = 64 * 1024  # a longer body follows its call; a longer answer comes in chunks
RECEIVE_BYTES = 64 * 1024  # at a time; for a buffer of 128 KiB glibc maps memory and unmaps it, every time
WINDOW_BYTES = 256 * 1024  # of a stream that may be under way to a client
_LENGTH = struct.Struct("=I")
_VERSION = 2  # of marshal: the last one without a table of references, which costs more than it saves here


class Offer(NamedTuple):
    """What a worker says of itself: how its script wants calls, and what the front needs to answer without it.

    kind: PLAIN, one call a seat; AWAITING, `at_once` calls on one seat; BATCHING, `at_once` calls together.
    log_level: lines below it are not wanted. has_own_logging: lines are to be logged by the worker.
    """

    kind: str
    at_once: int
    is_raw: bool
    log_level: int
    has_own_logging: bool
    documents: Dict[str, bytes]  # swagger, by version


def encode(*frame: Any) -> bytes:
    data = marshal.dumps(frame, _VERSION)
    return _LENGTH.pack(len(data)) + data


class FrameReader:
    """Feed it bytes, take frames; the same for any split into packets."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    @property
    def has_more(self) -> bool:
        """Whether at least part of another frame is here."""
        return self._at < len(self._data)

    def next(self) -> Optional[Frame]:
        """The next whole frame, or None until more bytes come."""
        begin = self._at + 4
        if begin > len(self._data):
            return None
        end = begin + _LENGTH.unpack_from(self._data, self._at)[0]
        if end > len(self._data):
            return None
        self._at = end
        frame: Frame = marshal.loads(self._data[begin:end])  # noqa: S302  see above
        return frame

    def take(self, size: int) -> bytes:
        """At most so many bytes of what has come, unframed."""
        data = self._data[self._at : self._at + size]
        self._at += len(data)
        return data
