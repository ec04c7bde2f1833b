"""Makes new inputs out of good ones: bytes flipped, cut, doubled, swapped, and words that parsers stumble over."""

from __future__ import annotations

import random
from collections.abc import Sequence

_WORDS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b"\t", b" ", b":", b";", b",", b"\x0b", b"\x7f", b"\xff", b"\r\n\r\n", b"\r\n "),
    *(b"Content-Length: 5\r\n", b"Content-Length: 5, 5\r\n", b"content-length:0\r\n", b"Expect: 100-continue\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding:\tchunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Host: x\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0"),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffff", b"0", b"-1", b'"', b"{", b"}", b"[", b"null", b"1e999", b"\\u0000"),
)


class Mutator:
    """`next()` for ever; good inputs come by unchanged now and then."""

    def __init__(self, source: random.Random, seeds: Sequence[bytes]) -> None:
        self._source = source
        self._seeds = seeds
        self._steps = (self._flip, self._insert, self._delete, self._double, self._splice)

    def next(self) -> bytes:
        data = self._source.choice(self._seeds)
        for _ in range(self._source.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            data = self._source.choice(self._steps)(data)
        return data[:70_000]

    def _span(self, data: bytes) -> tuple[int, int]:
        start = self._source.randint(0, len(data))
        return start, min(len(data), start + self._source.choice((1, 1, 2, 4, 16, 64)))

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._source.randrange(len(data))
        return data[:at] + bytes([self._source.randrange(256)]) + data[at + 1 :]

    def _insert(self, data: bytes) -> bytes:
        at = self._source.randint(0, len(data))
        return data[:at] + self._source.choice(_WORDS) + data[at:]

    def _delete(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:]

    def _double(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:end] + data[start:end] * self._source.choice((1, 2, 50)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._source.choice(self._seeds)
        return data[: self._source.randint(0, len(data))] + other[self._source.randint(0, len(other)) :]
