"""Answers that are sent while they are made: files, and log lines as text or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from endpoints.services import Download
from endpoints.spec.chunks import in_threads
from endpoints.spec.dropped_logs import HEADER, Dropped
from endpoints.spec.errors import Unavailable
from endpoints.spec.loglines import LogLine, render
from endpoints.telemetry.logs import TOO_MANY, Tailer, follow, followers

TEXT, JSON_LINES = "text/plain", "application/jsonl"
_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Streams(BaseContentNegotiation):
    """These doors choose their own form by `Accept`; only their refusals are rendered, as JSON."""

    def select_parser(self, request: Request, parsers: list[BaseParser]) -> BaseParser | None:  # type: ignore[override]
        return parsers[0] if parsers else None

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type


def file_answer(download: Download) -> StreamingHttpResponse:
    """A file to keep under its own name."""
    headers = {**_UNBUFFERED, "Content-Disposition": content_disposition_header(True, download.file_name) or ""}
    if download.size_bytes is not None:
        headers["Content-Length"] = str(download.size_bytes)
    return StreamingHttpResponse(in_threads(download.chunks), content_type=download.content_type, headers=headers)


def log_answer(
    request: Request,
    tailer: Tailer,
    *,
    is_followed: bool,
    is_over: Callable[[], bool],
    dropped: Dropped | None = None,
) -> StreamingHttpResponse:
    """Log lines: JSON lines for those who accept them, else text as Azure prints it.

    What there is, or with `is_followed` what comes as well until `is_over()`; Unavailable where too many follow.
    What is there no more is told by a header, so that the lines are those of the log in either form.
    """
    if is_followed and followers.is_full:
        raise Unavailable(TOO_MANY)
    is_json = JSON_LINES in request.headers.get("Accept", "")
    form = _as_json if is_json else _as_text
    content_type = JSON_LINES if is_json else f"{TEXT}; charset=utf-8"
    lines = _lines(tailer, form, lambda: not is_followed or is_over())
    headers = _UNBUFFERED | ({HEADER: dropped.sentence} if dropped else {})
    return StreamingHttpResponse(lines, content_type=content_type, headers=headers)


async def _lines(tailer: Tailer, form: Callable[[LogLine], str], is_over: Callable[[], bool]) -> AsyncIterator[bytes]:
    async with aclosing(follow(tailer, is_over=is_over)) as batches:
        async for batch in batches:
            if batch:
                yield "".join(f"{form(line)}\n" for line in batch).encode()


def _as_text(line: LogLine) -> str:
    return render(line).rstrip("\n")


def _as_json(line: LogLine) -> str:
    values = {
        "t": line.at.isoformat(),
        "level": line.level,
        "logger": line.logger,
        "message": line.message,
        "instance": line.instance_id,
        "request_id": line.request_id,
    }
    return json.dumps({key: value for key, value in values.items() if value}, ensure_ascii=False)
