"""One request as a value. Knows nothing of how it came or of who answers it."""

from __future__ import annotations

from typing import Dict, List, Tuple
from urllib.parse import unquote_to_bytes


class HttpRequest:
    """A complete request. `headers` has lower-case names; repeated ones are joined by ","."""

    __slots__ = ("body", "headers", "is_http10", "keep_alive", "method", "query", "route", "target")

    def __init__(self, line: RequestLine, headers: Dict[str, str]) -> None:
        self.method = line.method
        self.target = line.target
        self.route = line.route
        self.query = line.query
        self.is_http10 = line.is_http10
        self.headers = headers
        self.body = b""
        connection = headers.get("connection")
        if connection is None:
            self.keep_alive = not line.is_http10
        else:
            options = [option.strip().lower() for option in connection.split(",")]
            self.keep_alive = "close" not in options and (not line.is_http10 or "keep-alive" in options)


class RequestLine:
    """method, target as sent, the decoded path, the query string as sent."""

    __slots__ = ("is_http10", "method", "query", "route", "target")

    def __init__(self, method: str, target: str, *, is_http10: bool) -> None:
        self.method = method
        self.is_http10 = is_http10
        self.target = target
        path, _, self.query = target.partition("?")
        if "%" in path:
            path = unquote_to_bytes(path).decode("utf-8", "replace")
        self.route = "/" + path.lstrip("/") if path != "*" else path


Headers = List[Tuple[str, str]]
