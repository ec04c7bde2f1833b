"""Log lines as server-sent events: history first, then what is written, until the reader leaves or the log ends.

A follower holds no thread: it looks at the files for a moment, then sleeps on the event loop. There are at most
MAX_FOLLOWERS at once, and each ends after MAX_AGE_S; the browser then connects again by itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from endpoints.spec.loglines import Follower, LogFilter, LogLine, Source, read, tail
from studio.templatetags.look import level_word

MAX_FOLLOWERS = 200
MAX_AGE_S = 15 * 60.0
LOOK_EVERY_S = 0.25
PING_EVERY_S = 15.0
RETRY_MS = 2000

Sources = Callable[[], Sequence[Source]]


class Followers:
    """How many follow at the moment in this process. Entered and left on the one event loop."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *exc: object) -> None:
        self.count -= 1


followers = Followers()


def event_stream(
    sources: Sources, *, where: LogFilter, lines: int, is_over: Callable[[], bool] = lambda: False
) -> HttpResponseBase:
    """The answer to an EventSource. Events: `line` (JSON), `end` when the log is complete.

    is_over: whether nothing will be written any more; called off the event loop, so it may ask the database.
    """
    if followers.count >= MAX_FOLLOWERS:
        text = "Too many logs are being followed. Close one and try again."
        return HttpResponse(text, status=503, headers={"Retry-After": "10"})
    events = _events(sources, where=where, lines=lines, is_over=is_over)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


async def _events(
    sources: Sources,
    *,
    where: LogFilter,
    lines: int,
    is_over: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    began = said = clock()
    tailer = Tailer(sources, where=where, lines=lines)
    with followers:
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            yield _packed(await asyncio.to_thread(tailer.history))
            while clock() - began < MAX_AGE_S:
                is_last = await asyncio.to_thread(is_over)
                new = await asyncio.to_thread(tailer.poll)
                if new:
                    yield _packed(new)
                    said = clock()
                elif clock() - said > PING_EVERY_S:
                    yield b": still here\n\n"  # tells a proxy, and us, whether the reader is still there
                    said = clock()
                if is_last:
                    yield b"event: end\ndata: {}\n\n"
                    return
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            tailer.close()


class Tailer:
    """History and growth of several logs, asked for in turns. Never blocks longer than reading takes."""

    def __init__(self, sources: Sources, *, where: LogFilter, lines: int) -> None:
        self._sources, self._where, self._lines = sources, where, lines
        self._followers: dict[Source, Follower] = {}

    def history(self) -> list[LogLine]:
        """The last lines of all logs there are; what is written from now on is for `poll`."""
        found = []
        for source in self._sources():
            follower = self._followers[source] = Follower(source, where=self._where)
            found.append(
                read(
                    source.path,
                    instance_id=source.instance_id,
                    where=self._where,
                    lines=self._lines,
                    until=follower.mark,
                )
            )
        return tail(found, self._lines)

    def poll(self) -> list[LogLine]:
        """What was written since; a log that is new is read from its start."""
        for source in self._sources():
            if source not in self._followers:
                self._followers[source] = Follower(source, where=self._where, from_start=True)
        new = [line for follower in self._followers.values() for line in follower.poll()]
        return sorted(new, key=lambda line: line.at)

    def close(self) -> None:
        for follower in self._followers.values():
            follower.close()


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


async def in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A blocking iterator for an asynchronous answer, one chunk at a time: nothing piles up in memory."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
