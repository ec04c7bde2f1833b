"""Requests out of bytes: strict about everything that could be read in two ways, the same for any split into packets.

No sockets here.
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from .lines import BadRequest, RequestLine, header_lines, parse_header_line, parse_request_line, request_lines
from .request import HttpRequest

MAX_REQUEST_LINE = 4094  # the three limits of the original server
MAX_HEADER_LINE = 8190
MAX_HEADERS = 100
MAX_HEAD = 128 * 1024
MAX_CHUNK_LINE = 1024
MAX_BLANK_LINES = 2
MAX_LENGTH_DIGITS = 18

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")

_NO_HEAD: Tuple[bytes, RequestLine, Dict[str, str]] = (b"", RequestLine("", "", is_http10=False), {})


class RequestParser:
    """Feed it bytes, take requests. `max_body_bytes`: None for no limit."""

    def __init__(self, *, max_body_bytes: Optional[int] = None) -> None:
        self._buffer = b""
        self._checked = 0  # lines of an incomplete head up to here are known to be good
        self._lines_checked = 0
        self._blank_lines = 0
        self._head: Tuple[bytes, RequestLine, Dict[str, str]] = _NO_HEAD  # the latest, as sent and as read
        self._request: Optional[HttpRequest] = None  # the head is read, the body is not
        self._parts: List[bytes] = []
        self._missing = 0  # bytes of the body, or of the chunk and its CRLF
        self._body_size = 0
        self._chunks: Optional[str] = None  # "size", "data", "trailer"; None for a body of known length
        self._max_body_bytes = max_body_bytes

    @property
    def is_idle(self) -> bool:
        """Nothing of a next request has come."""
        return self._request is None and not self._buffer

    @property
    def is_in_head(self) -> bool:
        return self._request is None

    @property
    def awaits_continue(self) -> bool:
        """The client holds the body back until it is told to go on."""
        request = self._request
        return request is not None and "expect" in request.headers and not self._body_size and not request.is_http10

    def feed(self, data: bytes) -> None:
        if self._request is not None and self._chunks is None and not self._buffer:
            self._take_body(data)
        elif self._buffer:
            self._buffer += data
        else:
            self._buffer = data

    def next_request(self) -> Optional[HttpRequest]:
        """The next complete request, or None until more bytes come. Raises BadRequest."""
        if self._request is None and (not self._buffer or not self._read_head()):
            return None
        if self._chunks is not None and not self._read_chunks():
            return None
        if self._missing:
            return None
        request = self._request
        assert request is not None  # noqa: S101
        if self._parts:
            request.parts = self._parts
            self._parts = []
            self._body_size = 0
        self._request = None
        return request

    # Heads

    def _read_head(self) -> bool:
        buffer = self._buffer
        if buffer[0] in b"\r\n" and not self._skip_blank_lines():
            return False
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._check_lines(buffer)
            return False
        self._buffer = buffer[end + 4 :]
        head, line, headers = self._head
        if buffer[:end] != head:  # clients repeat theirs on a kept connection
            head, line, headers = self._head = self._read_lines(buffer, end)
        self._checked = self._lines_checked = self._blank_lines = 0
        self._begin_body(HttpRequest(head, headers.get("content-type", ""), line=line, headers=headers))
        return True

    def _read_lines(self, buffer: bytes, end: int) -> Tuple[bytes, RequestLine, Dict[str, str]]:
        """Of the head that ends there. Raises BadRequest for the first bad one."""
        head = buffer[:end]
        lines = head.split(b"\r\n")
        line = request_lines.get(lines[0])
        if line is None or len(lines) > MAX_HEADERS + 1 or end > MAX_HEAD:
            self._check_lines(buffer[: end + 2])
            line = parse_request_line(lines[0])
        headers: Dict[str, str] = {}
        for index in range(1, len(lines)):
            raw = lines[index]
            pair = header_lines.get(raw)
            if pair is None:
                if len(raw) > MAX_HEADER_LINE:
                    self._check_lines(buffer[: end + 2])
                pair = parse_header_line(raw)
            name, value = pair
            if name in headers:
                _refuse_repeated(name)
                headers[name] += "," + value
            else:
                headers[name] = value
        return head, line, headers

    def _skip_blank_lines(self) -> bool:
        """Clients of old sent an empty line after a body. False until more bytes come."""
        while self._buffer[:2] == b"\r\n":
            self._blank_lines += 1
            if self._blank_lines > MAX_BLANK_LINES:
                raise BadRequest(400, "Empty lines instead of a request")
            self._buffer = self._buffer[2:]
        if self._buffer[:1] == b"\n" or (self._buffer[:1] == b"\r" and len(self._buffer) > 1):
            raise BadRequest(400, "A line must end with CR LF")
        return bool(self._buffer) and self._buffer != b"\r"

    def _check_lines(self, buffer: bytes) -> None:
        """Raise for the first bad line, whether the head has come whole or not: an error must not depend on packets."""
        while True:
            limit = MAX_HEADER_LINE if self._lines_checked else MAX_REQUEST_LINE
            status = 431 if self._lines_checked else 414
            feed = buffer.find(b"\n", self._checked)
            end = len(buffer) if feed < 0 else feed
            length = end - self._checked
            if length > limit + 1 or (length == limit + 1 and buffer[end - 1 : end] != b"\r"):
                raise BadRequest(status, "The request line or a header line is too long")
            if end > MAX_HEAD or self._lines_checked > MAX_HEADERS:
                raise BadRequest(431, "The head of the request is too large")
            if feed < 0:
                return
            if buffer[feed - 1 : feed] != b"\r" or feed == self._checked:
                raise BadRequest(400, "A line must end with CR LF")
            line = buffer[self._checked : feed - 1]
            if self._lines_checked:
                parse_header_line(line)
            else:
                parse_request_line(line)
            self._checked = feed + 1
            self._lines_checked += 1

    # Bodies

    def _begin_body(self, request: HttpRequest) -> None:
        headers = request.headers
        length = headers.get("content-length")
        self._chunks = None
        self._missing = 0
        if "transfer-encoding" in headers:
            if length is not None or request.is_http10:
                raise BadRequest(400, "Transfer-Encoding with Content-Length, or in HTTP/1.0")
            if headers["transfer-encoding"].lower() != "chunked":
                raise BadRequest(501, "Transfer-Encoding must be chunked")
            self._chunks = "size"
        elif length is not None:
            if not length.isdecimal() or len(length) > MAX_LENGTH_DIGITS:
                raise BadRequest(400, "Content-Length must be a number")
            self._missing = int(length)
            self._check_body_size(self._missing)
            if 0 < self._missing <= len(self._buffer):  # all of it is here already
                request.parts = [self._buffer[: self._missing]]
                self._buffer = self._buffer[self._missing :]
                self._missing = 0
        if "expect" in headers and headers["expect"].lower() != "100-continue":
            raise BadRequest(417, "Expect must be 100-continue")
        self._request = request
        if self._missing and self._buffer:
            data, self._buffer = self._buffer, b""
            self._take_body(data)

    def _check_body_size(self, size: int) -> None:
        if self._max_body_bytes is not None and size > self._max_body_bytes:
            raise BadRequest(413, "The body is too large")

    def _take_body(self, data: bytes) -> None:
        if len(data) > self._missing:
            self._buffer = data[self._missing :]
            data = data[: self._missing]
        self._missing -= len(data)
        self._body_size += len(data)
        if data:
            self._parts.append(data)

    def _read_chunks(self) -> bool:
        """Take what there is of a chunked body; True when its last byte is read."""
        while True:
            if self._chunks == "data":
                if not self._read_chunk_data():
                    return False
                continue
            line = self._take_line()
            if line is None:
                return False
            if self._chunks == "trailer":
                self._lines_checked += 1
                if not line:
                    self._chunks = None
                    self._lines_checked = 0
                    return True
                if self._lines_checked > MAX_HEADERS:
                    raise BadRequest(431, "Too many trailers")
                parse_header_line(line)
                continue
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise BadRequest(400, "Bad chunk size")
            size = int(match.group(1), 16)
            self._check_body_size(self._body_size + size)
            self._missing = size + 2
            self._chunks = "data" if size else "trailer"
            if not size:
                self._missing = 0

    def _take_line(self) -> Optional[bytes]:
        feed = self._buffer.find(b"\n")
        limit = MAX_HEADER_LINE if self._chunks == "trailer" else MAX_CHUNK_LINE
        if (len(self._buffer) if feed < 0 else feed) > limit:
            raise BadRequest(400, "A line of the chunked body is too long")
        if feed < 0:
            return None
        if feed == 0 or self._buffer[feed - 1] != 13:
            raise BadRequest(400, "A line must end with CR LF")
        line = self._buffer[: feed - 1]
        self._buffer = self._buffer[feed + 1 :]
        return line

    def _read_chunk_data(self) -> bool:
        while self._missing > 2 and self._buffer:
            data = self._buffer[: self._missing - 2]
            self._buffer = self._buffer[len(data) :]
            self._missing -= len(data)
            self._body_size += len(data)
            self._parts.append(data)
        if self._missing > 2:
            return False
        end = self._buffer[: self._missing]
        if end != b"\r\n"[: len(end)]:
            raise BadRequest(400, "A chunk is longer than it says")
        if len(end) < 2:
            return False
        self._buffer = self._buffer[2:]
        self._missing = 0
        self._chunks = "size"
        return True


def _refuse_repeated(name: str) -> None:
    if name in ("content-length", "transfer-encoding", "host"):
        raise BadRequest(400, "%s is given twice" % name)
