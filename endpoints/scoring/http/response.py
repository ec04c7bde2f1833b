"""One answer as a value, and its bytes. Knows nothing of scoring."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, Callable, Iterator, Optional, Tuple

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
    """The Date header, made once a second."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._made: Tuple[int, str] = (0, "")

    def date(self) -> str:
        second = int(self._now())
        if self._made[0] != second:
            self._made = (second, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second)))
        return self._made[1]


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


def encode_head(response: HttpResponse, *, keep_alive: bool, is_http10: bool, date: Optional[str] = None) -> bytes:
    """Everything up to the body. Says how the body is delimited and whether the connection goes on."""
    status = response.status
    lines = "".join(["%s: %s\r\n" % header for header in response.headers])
    if response.chunks is not None:
        framing = "" if is_http10 else "Transfer-Encoding: chunked\r\n"
    elif status < 200 or status == 204 or status == 304:
        framing = ""
    else:
        framing = "Content-Length: %d\r\n" % len(response.body)
    if not keep_alive:
        framing += "Connection: close\r\n"
    elif is_http10:
        framing += "Connection: keep-alive\r\n"
    head = "HTTP/1.1 %d %s\r\nServer: slipway\r\nDate: %s\r\n%s%s\r\n" % (
        status,
        REASONS.get(status, "UNKNOWN"),
        date or _clock.date(),
        framing,
        lines,
    )
    return head.encode("latin-1", "replace")


def encode_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def iterate(chunks: Any) -> Iterator[bytes]:
    """Chunks of a streamed body that are not empty; an empty one would end it."""
    for chunk in chunks:
        data = chunk.encode("utf-8") if isinstance(chunk, str) else bytes(chunk)
        if data:
            yield data
