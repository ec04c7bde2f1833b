"""Log lines as server-sent events: history first, then what is written, until the reader leaves or the log ends.

A follower holds no thread (see `endpoints.telemetry.logs`) and ends after MAX_AGE_S; the browser then connects again by
itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from endpoints.spec.loglines import LogFilter, LogLine
from endpoints.telemetry.logs import TOO_MANY, Sources, Tailer, follow, followers
from studio.templatetags.look import level_word

MAX_AGE_S = 15 * 60.0
PING_EVERY_S = 15.0
RETRY_MS = 2000


def event_stream(
    sources: Sources, *, where: LogFilter, lines: int, is_over: Callable[[], bool] = lambda: False
) -> HttpResponseBase:
    """The answer to an EventSource. Events: `line` (JSON), `end` when the log is complete.

    is_over: whether nothing will be written any more; called in the request's own thread, so it may ask the database.
    """
    if followers.is_full:
        return HttpResponse(TOO_MANY, status=503, headers={"Retry-After": "10"})
    events = _events(Tailer(sources, where=where, lines=lines), is_over=is_over)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


async def _events(
    tailer: Tailer, *, is_over: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> AsyncGenerator[bytes]:
    began = said = clock()
    yield f"retry: {RETRY_MS}\n\n".encode()
    async with aclosing(follow(tailer, is_over=is_over)) as batches:
        async for batch in batches:
            now = clock()
            if batch:
                yield _packed(batch)
                said = now
            if now - began > MAX_AGE_S:
                return
            if now - said > PING_EVERY_S:
                yield b": still here\n\n"  # tells a proxy, and us, whether the reader is still there
                said = now
    yield b"event: end\ndata: {}\n\n"


def _packed(lines: Sequence[LogLine]) -> bytes:
    return b"".join(_event(line) for line in lines)


def _event(line: LogLine) -> bytes:
    return f"data: {json.dumps(as_json(line), ensure_ascii=False)}\n\n".encode()


def as_json(line: LogLine) -> dict[str, str]:
    return {
        "time": f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03d}",
        "at": line.at.isoformat(),
        "level": line.level,
        "word": f"{level_word(line.level):5}",
        "message": line.message,
        "instance": line.instance_id,
        "request": line.request_id,
    }
