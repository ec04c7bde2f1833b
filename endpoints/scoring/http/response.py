"""One answer as a value, and its bytes. Knows nothing of scoring."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, Callable, Iterator, Optional

from .request import Headers

REASONS = {status.value: status.phrase.upper() for status in HTTPStatus}
REASONS.update({413: "REQUEST ENTITY TOO LARGE", 414: "REQUEST URI TOO LONG", 422: "UNPROCESSABLE ENTITY"})

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpResponse:
    """`chunks`, when given, is streamed instead of `body`; it may be an async iterator. `close` is called after it."""

    __slots__ = ("body", "chunks", "close", "headers", "must_close", "status")

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes = b"",
        *,
        chunks: Any = None,
        close: Optional[Callable[[], None]] = None,
        must_close: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.chunks: Any = chunks
        self.close = close
        self.must_close = must_close


class Clock:
    """The beginning of a head with its Date, made once a second."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._second = 0
        self._common = b""
        self._ok = b""

    def beginning(self, status: int) -> bytes:
        second = int(self._now())
        if self._second != second:
            self._second = second
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
            self._common = b"Server: slipway\r\nDate: %s\r\n" % date.encode("ascii")
            self._ok = b"HTTP/1.1 200 OK\r\n" + self._common
        if status == 200:
            return self._ok
        reason = REASONS.get(status, "UNKNOWN").encode("ascii")
        return b"HTTP/1.1 %d %s\r\n%s" % (status, reason, self._common)


_clock = Clock()


class UnsafeHeader(ValueError):
    """A header's name or value holds what would begin another header."""


def check_header(name: str, value: str) -> None:
    """Raise UnsafeHeader unless both can stand on one line."""
    for text in (name, value):
        if "\r" in text or "\n" in text or "\0" in text:
            raise UnsafeHeader("A response header holds a line break: %r" % name)
    if not name or " " in name or ":" in name:
        raise UnsafeHeader("Not a header name: %r" % name)


def encode_headers(headers: Headers) -> bytes:
    return "".join(["%s: %s\r\n" % header for header in headers]).encode("latin-1", "replace")


def encode_head(status: int, block: bytes, length: Optional[int], *, keep_alive: bool, is_http10: bool) -> bytes:
    """Everything up to the body. `block`: encoded headers; `length`: of the body, None when it is streamed.

    Says how the body is delimited and whether the connection goes on.
    """
    if length is None:
        framing = b"" if is_http10 else b"Transfer-Encoding: chunked\r\n"
    elif status < 200 or status == 204 or status == 304:
        framing = b""
    else:
        framing = b"Content-Length: %d\r\n" % length
    if not keep_alive:
        framing += b"Connection: close\r\n"
    elif is_http10:
        framing += b"Connection: keep-alive\r\n"
    return b"%s%s%s\r\n" % (_clock.beginning(status), framing, block)


def encode_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def iterate(chunks: Any) -> Iterator[bytes]:
    """Chunks of a streamed body that are not empty; an empty one would end it."""
    for chunk in chunks:
        data = chunk.encode("utf-8") if isinstance(chunk, str) else bytes(chunk)
        if data:
            yield data
