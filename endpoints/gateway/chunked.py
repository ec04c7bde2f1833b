"""Reading chunked bodies, as strictly as heads: what could be read in two ways is refused. Pure."""

from __future__ import annotations

import re
from typing import Final

from endpoints.gateway.parsing import TOKEN, VALUE

MAX_CHUNK_LINE_BYTES: Final = 256
MAX_TRAILER_BYTES: Final = 8 * 1024
_TRAILER_LINE: Final = re.compile(TOKEN + rb"++:" + VALUE + rb"*+")
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15}+)(?:;" + VALUE + rb"*+)?")


class BadChunk(Exception):
    """A chunked body that could be read in two ways."""


_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILER: Final = 3
_DONE: Final = 4


class ChunkedDecoder:
    """Takes a chunked body in any pieces and gives its data. `rest` holds what follows the body once `is_done`."""

    __slots__ = ("_held", "_remaining", "_state", "_trailer_bytes", "rest")

    def __init__(self) -> None:
        self._state = _SIZE
        self._held = b""
        self._remaining = 0
        self._trailer_bytes = 0
        self.rest = b""

    @property
    def is_done(self) -> bool:
        """The last chunk and the trailers have been read."""
        return self._state == _DONE

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of payload in `data`, without their framing. Raises BadChunk."""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and self._state != _DONE:
            if self._state == _DATA:
                piece = data[at : at + self._remaining]
                pieces.append(piece)
                at += len(piece)
                self._remaining -= len(piece)
                if not self._remaining:
                    self._state = _DATA_END
                continue
            end = data.find(b"\n", at)
            if end < 0 or (end - at > MAX_CHUNK_LINE_BYTES and self._state != _TRAILER):
                self._hold(data[at:])
                return pieces
            if end == at or data[end - 1] != 0x0D:
                raise BadChunk("A line of a chunked body does not end with CRLF.")
            self._line(data[at : end - 1])
            at = end + 1
        if self._state == _DONE:
            self.rest = data[at:]
        return pieces

    def _hold(self, line: bytes) -> None:
        limit = MAX_TRAILER_BYTES if self._state == _TRAILER else MAX_CHUNK_LINE_BYTES
        if len(line) > limit:
            raise BadChunk("A line of a chunked body is too long.")
        if self._state == _DATA_END and not b"\r\n".startswith(line):
            raise BadChunk("A chunk is longer than its size says.")
        self._held = line

    def _line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            if line:
                raise BadChunk("A chunk is longer than its size says.")
            self._state = _SIZE
        elif self._state == _SIZE:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None:
                raise BadChunk("A chunk's size is not a plain hexadecimal number.")
            self._remaining = int(size[1], 16)
            self._state = _DATA if self._remaining else _TRAILER
        elif not line:
            self._state = _DONE
        else:
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > MAX_TRAILER_BYTES or not _TRAILER_LINE.fullmatch(line):
                raise BadChunk("A trailer of the chunked body is malformed or too long.")
