"""Log lines as they come: what has been written to rotating logs since one looked last, of one log or of many together.

It knows nothing of deployments or of who may read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from endpoints.spec.loglines import (
    BLOCK_BYTES,
    EVERYTHING,
    MAX_LINE_BYTES,
    LogFilter,
    LogLine,
    Mark,
    files_of,
    merge,
    parse_line,
    read,
    tail,
)


@dataclass(frozen=True, slots=True)
class Source:
    """One log to follow and whose it is."""

    path: Path
    instance_id: str = ""


class Follower:
    """New lines of one rotating log. `poll` never blocks, so threads and event loops alike can drive it."""

    def __init__(self, source: Source, *, where: LogFilter = EVERYTHING, from_start: bool = False) -> None:
        self._source, self._where = source, where
        self._stream: IO[bytes] | None = None
        self._rest = b""
        self._previous = datetime.now(UTC)
        self.mark = Mark(inode=0, offset=0)  # what lies before it is history, what comes after is polled
        if not from_start and self._open(source.path) and self._stream is not None:
            end = self._stream.seek(0, os.SEEK_END)
            self.mark = Mark(inode=os.fstat(self._stream.fileno()).st_ino, offset=end)

    def poll(self) -> list[LogLine]:
        """What has been written since the last call, complete lines only, also across rotations."""
        found: list[LogLine] = []
        if self._stream is None:
            self._open(self._source.path)
        while self._stream is not None:
            is_replaced = self._is_replaced()  # looked at first: nothing is written to a file after it was replaced
            found += self._read_new()
            if not is_replaced or not self._open_next():
                break
        return [line for line in found if self._where.matches(line)]

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self, path: Path) -> bool:
        self.close()
        self._rest = b""
        try:
            self._stream = path.open("rb")
        except FileNotFoundError:
            return False
        return True

    def _read_new(self) -> list[LogLine]:
        stream = self._stream
        assert stream is not None  # noqa: S101 -- poll() has opened it
        if os.fstat(stream.fileno()).st_size < stream.tell():
            stream.seek(0)  # truncated in place
        lines = []
        while block := stream.read(BLOCK_BYTES):
            *complete, self._rest = (self._rest + block).split(b"\n")
            if len(self._rest) > MAX_LINE_BYTES:
                complete, self._rest = [*complete, self._rest], b""
            for raw in complete:
                if raw:
                    line = parse_line(raw, fallback_at=self._previous, instance_id=self._source.instance_id)
                    self._previous = line.at
                    lines.append(line)
        return lines

    def _is_replaced(self) -> bool:
        assert self._stream is not None  # noqa: S101
        try:
            return self._source.path.stat().st_ino != os.fstat(self._stream.fileno()).st_ino
        except FileNotFoundError:
            return True

    def _open_next(self) -> bool:
        """Open the file that was begun after the present one; it may have been rotated itself meanwhile."""
        assert self._stream is not None  # noqa: S101
        present = os.fstat(self._stream.fileno()).st_ino
        newest_first = files_of(self._source.path)[::-1]
        for index, file in enumerate(newest_first):
            try:
                if file.stat().st_ino == present:
                    return index > 0 and self._open(newest_first[index - 1])
            except FileNotFoundError:
                return False
        return bool(newest_first) and self._open(newest_first[-1])


def follow(
    sources: Callable[[], Sequence[Source]],
    *,
    where: LogFilter = EVERYTHING,
    lines: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
    poll_s: float = 0.2,
) -> Generator[LogLine, None, None]:
    """The logs' last `lines` (None: all), then new lines as they come, until closed or until `is_over()`.

    sources: asked again at every look, so that the log of an instance that starts later joins in from its start.
    After `is_over()` has said so, what is still unread is delivered first.
    """
    followers: dict[Source, Follower] = {}
    history = []
    for source in sources():
        followers[source] = follower = Follower(source, where=where)
        history.append(read(source.path, instance_id=source.instance_id, where=where, lines=lines, until=follower.mark))
    yield from merge(history) if lines is None else tail(history, lines)
    try:
        while True:
            is_last = is_over()
            for source in sources():
                if source not in followers:
                    followers[source] = Follower(source, where=where, from_start=True)
            new = [line for follower in followers.values() for line in follower.poll()]
            yield from sorted(new, key=lambda line: line.at)
            if is_last:
                return
            pause(poll_s)
    finally:
        for follower in followers.values():
            follower.close()
