"""The two kinds of line in a request's head, as values. Strict about everything that could be read in two ways.

Lines are remembered: clients on a kept connection repeat theirs word by word, which makes this as fast as a parser in
C called from Python.
"""

from __future__ import annotations

import re
from typing import Dict, Tuple
from urllib.parse import unquote_to_bytes

_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9])\.([0-9])")
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)

_REMEMBERED = 1024
_MEMORABLE_LINE = 256
request_lines: Dict[bytes, RequestLine] = {}
header_lines: Dict[bytes, Tuple[str, str]] = {}


class BadRequest(Exception):
    """The bytes are no request that could be answered otherwise; the connection must be closed after `status`."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class RequestLine:
    """method, target as sent, the decoded path, the query string as sent; `shown`: for log lines."""

    __slots__ = ("is_http10", "method", "query", "route", "shown", "target")

    def __init__(self, method: str, target: str, *, is_http10: bool) -> None:
        self.method = method
        self.is_http10 = is_http10
        self.target = target
        path, _, self.query = target.partition("?")
        if "%" in path:
            path = unquote_to_bytes(path).decode("utf-8", "replace")
        self.route = "/" + path.lstrip("/") if path != "*" else path
        self.shown = "%s %s?%s" % (method, self.route, self.query) if self.query else method + " " + self.route


def parse_request_line(raw: bytes) -> RequestLine:
    match = _REQUEST_LINE.fullmatch(raw)
    if match is None:
        raise BadRequest(400, "Bad request line")
    if match.group(3) != b"1":
        raise BadRequest(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here")
    target = match.group(2).decode("latin-1")
    if target[0] != "/" and target != "*":
        without_host, found = _ABSOLUTE.subn("", target, count=1)
        if not found or not target.lower().startswith("http"):
            raise BadRequest(400, "The request target must be a path")
        target = without_host if without_host[:1] == "/" else "/" + without_host
    line = RequestLine(match.group(1).decode("ascii"), target, is_http10=match.group(4) == b"0")
    if len(raw) <= _MEMORABLE_LINE:
        if len(request_lines) >= _REMEMBERED:
            request_lines.clear()
        request_lines[raw] = line
    return line


def parse_header_line(raw: bytes) -> Tuple[str, str]:
    match = _HEADER_LINE.fullmatch(raw)
    if match is None:
        raise BadRequest(400, "Bad header line")
    pair = (match.group(1).decode("ascii").lower(), match.group(2).decode("latin-1").rstrip(" \t"))
    if len(raw) <= _MEMORABLE_LINE:
        if len(header_lines) >= _REMEMBERED:
            header_lines.clear()
        header_lines[raw] = pair
    return pair
