"""Logs that grow, asked for in turns: for those who follow without holding a thread. Knows no people, no rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from asgiref.sync import sync_to_async

from endpoints.spec.followed_logs import Follower, Source
from endpoints.spec.loglines import EVERYTHING, LogFilter, LogLine, merge, read, tail

Sources = Callable[[], Sequence[Source]]

LOOK_EVERY_S = 0.2
MAX_FOLLOWERS = 200
TOO_MANY = "Too many logs are being followed. Close one and try again."


class Followers:
    """How many follow at the moment in this process, by page or API. Entered and left on the one event loop."""

    def __init__(self, most: int = MAX_FOLLOWERS) -> None:
        self.count = 0
        self.most = most

    @property
    def is_full(self) -> bool:
        return self.count >= self.most

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *exc: object) -> None:
        self.count -= 1


followers = Followers()


class Tailer:
    """History and growth of several logs together. Never blocks longer than reading takes."""

    def __init__(self, sources: Sources, *, where: LogFilter = EVERYTHING, lines: int | None = None) -> None:
        self._sources, self._where, self._lines = sources, where, lines
        self._followers: dict[Source, Follower] = {}

    def history(self) -> list[LogLine]:
        """The last lines of all logs there are (all of them without a number); what comes later is for `poll`."""
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
        return list(merge(found)) if self._lines is None else tail(found, self._lines)

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


async def follow(tailer: Tailer, *, is_over: Callable[[], bool]) -> AsyncGenerator[list[LogLine]]:
    """Lines as they come, in batches (empty ones too, so that the reader can show it lives), until `is_over()`.

    is_over: whether nothing will be written any more; called in the request's own thread, so it may ask the database.
    Whoever stops reading early closes the iterator: until then it counts as a follower.
    """
    with followers:
        try:
            yield await asyncio.to_thread(tailer.history)
            while True:
                is_last = await sync_to_async(is_over)()
                yield await asyncio.to_thread(tailer.poll)
                if is_last:
                    return
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            tailer.close()
