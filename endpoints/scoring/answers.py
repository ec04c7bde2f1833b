"""From what run() returned to an answer: JSON, a response of the script's own, or a stream. Knows no sockets."""

from __future__ import annotations

import inspect
from typing import Any, AsyncIterator, Iterator, Optional

from .api.aml_response import FAILED, HTML, JSON, AMLResponse
from .http.request import Headers
from .http.response import REASONS, HttpResponse, check_header, encode_headers
from .json_bytes import to_json

SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
SERVER_FAILED = "An unexpected internal error occurred. Check the logs for more info."
NOT_FOUND = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling "
    "and try again."
)
WRONG_METHOD = "The method is not allowed for the requested URL."
TOOK = "x-ms-run-fn-exec-ms"
EVENT_STREAM = "text/event-stream"
SSE_BEGINNINGS = ("data:", "event:", "id:", "retry:", ":")

PLAIN_TYPES = frozenset((list, dict, str, int, float, bool))  # what nearly every run() returns
_END = object()  # of a generator that yields nothing
_PLAIN: Headers = [("Content-Type", JSON), (FAILED, "False")]
_PLAIN_BLOCK = encode_headers([*_PLAIN, (TOOK, "%.3f")])


def error(status: int, message: str, *, has_run_failed: bool = False) -> HttpResponse:
    """The contract's error: `{"message": ...}`."""
    body = to_json({"message": message})
    return HttpResponse(status, [("Content-Type", JSON), (FAILED, str(has_run_failed))], body)


def fatal(status: int, detail: str = "") -> HttpResponse:
    """For what is no request, and for a run() that tried to end the process: HTML, and the connection ends."""
    reason = REASONS.get(status, "UNKNOWN").title()
    body = (
        "<html>\n  <head>\n    <title>%(reason)s</title>\n  </head>\n  <body>\n    <h1><p>%(reason)s</p></h1>\n"
        "    %(detail)s\n  </body>\n</html>\n"
    ) % {"reason": reason, "detail": detail}
    return HttpResponse(status, [("Content-Type", "text/html")], body.encode("latin-1", "replace"), must_close=True)


def plain_headers(took_ms: float) -> bytes:
    """Encoded, of a value of PLAIN_TYPES."""
    return _PLAIN_BLOCK % took_ms


def from_value(value: Any, *, accept: str = "") -> HttpResponse:
    """Raises what json.dumps raises for a value that JSON cannot hold, and UnsafeHeader."""
    if value is None:
        return HttpResponse(200, _PLAIN[:], b"{}")
    if isinstance(value, AMLResponse):
        return _from_own(value)
    if hasattr(value, "iter_encoded") and hasattr(value, "get_wsgi_headers"):
        return _from_werkzeug(value)
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return HttpResponse(200, [(FAILED, "False")], chunks=Stream(value, wants_events=EVENT_STREAM in accept))
    return HttpResponse(200, _PLAIN[:], to_json(value))


def _from_own(value: AMLResponse) -> HttpResponse:
    headers = list(value.headers)
    if value.status_code >= 500:
        headers = _mark_failed(headers)
    return _checked(value.status_code, headers, value.response)


def _from_werkzeug(value: Any) -> HttpResponse:
    """A response of flask or werkzeug, which the script brought itself."""
    headers: Headers = [(str(name), str(text)) for name, text in value.headers.items()]
    headers = [pair for pair in headers if pair[0].lower() not in ("content-length", "transfer-encoding", "connection")]
    if value.status_code >= 500:
        headers = _mark_failed(headers)
    if getattr(value, "is_streamed", False):
        return _checked(value.status_code, headers, value.iter_encoded(), close=value.close)
    return _checked(value.status_code, headers, b"".join(value.iter_encoded()))


def _checked(status: int, headers: Headers, body: Any, close: Optional[Any] = None) -> HttpResponse:
    for name, text in headers:
        check_header(name, text)
    if not 200 <= status <= 999:
        raise ValueError("Not a status an answer can have: %d" % status)
    kept = [pair for pair in headers if pair[0].lower() not in ("content-length", "transfer-encoding", "connection")]
    if isinstance(body, bytes):
        return HttpResponse(status, kept, body)
    return HttpResponse(status, kept, chunks=body, close=close or getattr(body, "close", None))


def _mark_failed(headers: Headers) -> Headers:
    return [pair for pair in headers if pair[0].lower() != FAILED] + [(FAILED, "True")]


class Stream:
    """What a generator yields, as a body: text and bytes as they are, anything else as JSON.

    JSON values become server-sent events for a caller that accepts those, else one line each. The content type is
    known with the first chunk only, so `begin` or `abegin` must be called before the head is sent.
    """

    def __init__(self, source: Any, *, wants_events: bool) -> None:
        self._source = source
        self._wants_events = wants_events
        self._first: Optional[bytes] = None
        self.content_type = EVENT_STREAM if wants_events else HTML
        self.is_async = inspect.isasyncgen(source)

    def begin(self) -> None:
        self._first = self._encode_first(next(self._source, _END))

    async def abegin(self) -> None:
        try:
            self._first = self._encode_first(await self._source.__anext__())
        except StopAsyncIteration:
            self._first = None

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        for value in self._source:
            yield self._encode(value)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._first:
            yield self._first
        async for value in self._source:
            yield self._encode(value)

    def close(self) -> None:
        if not self.is_async:
            self._source.close()

    async def aclose(self) -> None:
        await self._source.aclose()

    def _encode_first(self, value: Any) -> Optional[bytes]:
        if value is _END:
            return None
        if isinstance(value, (str, bytes)):
            text = value if isinstance(value, str) else value[:16].decode("latin-1")
            if text.startswith(SSE_BEGINNINGS):
                self.content_type = EVENT_STREAM
        elif not self._wants_events:
            self.content_type = "application/x-ndjson"
        return self._encode(value)

    def _encode(self, value: Any) -> bytes:
        if isinstance(value, str):
            return value.encode("utf-8")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        line = to_json(value)
        return b"data: %s\n\n" % line if self._wants_events else line + b"\n"
