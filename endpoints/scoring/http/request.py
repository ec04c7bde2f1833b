"""One request as a value. Knows nothing of how it came or of who answers it."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from .lines import RequestLine, header_lines, parse_header_line, parse_request_line, request_lines

Headers = List[Tuple[str, str]]


class HttpRequest:
    """A complete request. `headers` has lower-case names; repeated ones are joined by ",".

    `head` is everything up to the empty line as it was sent, and must be known to be good; what is not given of `line`
    and `headers` is read from it when somebody asks. The body is kept in the pieces it came in.
    """

    __slots__ = ("_headers", "_line", "content_type", "head", "parts")

    def __init__(
        self,
        head: bytes,
        content_type: str,
        body: bytes = b"",
        *,
        line: Optional[RequestLine] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> None:
        self.head = head
        self.content_type = content_type
        self.parts: List[bytes] = [body] if body else []
        self._line = line
        self._headers = headers

    @property
    def line(self) -> RequestLine:
        if self._line is None:
            raw = self.head.partition(b"\r\n")[0]
            self._line = request_lines.get(raw) or parse_request_line(raw)
        return self._line

    @property
    def is_get(self) -> bool:
        """Told without reading the request line."""
        return self.head.startswith(b"GET ")

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
