"""One request as a value. Knows nothing of how it came or of who answers it."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from .lines import RequestLine, header_lines, parse_header_line

Headers = List[Tuple[str, str]]


class HttpRequest:
    """A complete request. `headers` has lower-case names; repeated ones are joined by ",".

    `head` is everything up to the empty line as it was sent, and must be known to be good; without `headers` they are
    read from it when somebody asks. The body is kept in the pieces it came in.
    """

    __slots__ = ("_headers", "content_type", "head", "line", "parts")

    def __init__(self, line: RequestLine, head: bytes, headers: Optional[Dict[str, str]] = None) -> None:
        self.line = line
        self.head = head
        self._headers = headers
        self.content_type = "" if headers is None else headers.get("content-type", "")
        self.parts: List[bytes] = []

    @property
    def method(self) -> str:
        return self.line.method

    @property
    def target(self) -> str:
        return self.line.target

    @property
    def route(self) -> str:
        return self.line.route

    @property
    def query(self) -> str:
        return self.line.query

    @property
    def is_http10(self) -> bool:
        return self.line.is_http10

    @property
    def headers(self) -> Dict[str, str]:
        if self._headers is None:
            self._headers = _read_headers(self.head)
        return self._headers

    @property
    def body(self) -> bytes:
        parts = self.parts
        if len(parts) > 1:
            parts[:] = [b"".join(parts)]
        return parts[0] if parts else b""

    @property
    def keep_alive(self) -> bool:
        connection = self.headers.get("connection")
        if connection is None:
            return not self.line.is_http10
        options = [option.strip().lower() for option in connection.split(",")]
        return "close" not in options and (not self.line.is_http10 or "keep-alive" in options)


def _read_headers(head: bytes) -> Dict[str, str]:
    headers: Dict[str, str] = {}
    for raw in head.split(b"\r\n")[1:]:
        name, value = header_lines.get(raw) or parse_header_line(raw)
        headers[name] = headers[name] + "," + value if name in headers else value
    return headers
