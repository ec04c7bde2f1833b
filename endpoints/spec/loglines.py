"""Log lines as everybody below and above the control room reads and writes them.

Instances, staging and builds write JSON lines, one object a line, into files that rotate: `x.jsonl` is the newest,
`x.jsonl.1` the one before it. Reading never loads a file whole and never fails on a line that is not JSON; what comes
later is `endpoints.spec.followed_logs`. It knows nothing of deployments or of who may read.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import msgspec

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
BLOCK_BYTES = 64 * 1024
# A line longer than this is cut into pieces when read: one line must not fill the memory.
MAX_LINE_BYTES = 1024 * 1024
# How far lines of several threads may be out of order within one file.
_DISORDER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `at` is aware UTC; `level` one of LEVELS; `request_id` "" outside requests; `pid` 0 when unknown."""

    at: datetime
    level: str
    message: str
    logger: str = ""
    instance_id: str = ""
    request_id: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted; an empty field lets all pass.

    level: the least severe that passes. text: part of the message, case ignored. since is inclusive, until not.
    """

    level: str = ""
    text: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, line: LogLine) -> bool:
        if self.level and _severity(line.level) < _severity(self.level):
            return False
        if self.request_id and line.request_id != self.request_id:
            return False
        if self.since and line.at < self.since:
            return False
        if self.until and line.at >= self.until:
            return False
        return not self.text or self.text.casefold() in line.message.casefold()


EVERYTHING = LogFilter()


def _severity(level: str) -> int:
    try:
        return LEVELS.index(level.upper())
    except ValueError:
        return 1


# One line ----------------------------------------------------------------------------------------------------


class _Record(msgspec.Struct):
    """A line as it stands in the file."""

    t: str = ""
    message: str = ""
    level: str = "INFO"
    logger: str = ""
    request_id: str = ""
    pid: int = 0


_decoder = msgspec.json.Decoder(_Record)


def parse_line(raw: bytes, *, fallback_at: datetime, instance_id: str = "") -> LogLine:
    """`raw` as a line; text that is no JSON line of ours becomes an INFO line dated `fallback_at`."""
    try:
        record = _decoder.decode(raw)
        at = datetime.fromisoformat(record.t) if record.t else fallback_at
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
    except (msgspec.MsgspecError, ValueError, UnicodeDecodeError):
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        return LogLine(at=fallback_at, level="INFO", message=text, instance_id=instance_id)
    return LogLine(
        at=at,
        level=record.level.upper(),
        message=record.message,
        logger=record.logger,
        instance_id=instance_id,
        request_id=record.request_id,
        pid=record.pid,
    )


def format_line(line: LogLine) -> bytes:
    """The JSON line for a file, newline included."""
    record: dict[str, str | int] = {"t": _stamp(line.at), "level": line.level, "logger": line.logger}
    record["message"] = line.message
    if line.request_id:
        record["request_id"] = line.request_id
    if line.pid:
        record["pid"] = line.pid
    return msgspec.json.encode(record) + b"\n"


def render(line: LogLine) -> str:
    """The line as Azure's inference server prints it: `2026-01-31 12:04:17,201 I [123] azmlinfsrv - message`."""
    at = line.at.astimezone(UTC)
    return (
        f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {line.level[:1]} [{line.pid}] "
        f"{line.logger or 'root'} - {line.message}"
    )


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Writing -----------------------------------------------------------------------------------------------------


class LogWriter:
    """Appends lines to one file, from any thread, and rotates it. For the studio's own logs of staging and builds."""

    def __init__(
        self,
        path: Path,
        *,
        logger: str,
        max_bytes: int = 10 * 1024 * 1024,
        keep: int = 5,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._logger, self._max_bytes, self._keep, self._now = path, logger, max_bytes, keep, now
        self._lock = threading.Lock()

    def write(self, message: str, *, level: str = "INFO") -> LogLine:
        """Append one line and return it."""
        line = LogLine(at=self._now(), level=level, message=message, logger=self._logger, pid=os.getpid())
        data = format_line(line)
        with self._lock:
            self._rotate_if_full(len(data))
            with self._path.open("ab", buffering=0) as file:
                file.write(data)
        return line

    def _rotate_if_full(self, incoming: int) -> None:
        try:
            if self._path.stat().st_size + incoming <= self._max_bytes:
                return
        except FileNotFoundError:
            return
        for number in range(self._keep - 1, 0, -1):
            source = rotated(self._path, number)
            if source.exists():
                source.replace(rotated(self._path, number + 1))
        self._path.replace(rotated(self._path, 1))


def rotated(path: Path, number: int) -> Path:
    """The file `number` rotations ago; 0 is the one being written."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


def files_of(path: Path) -> list[Path]:
    """All files of one log that exist, oldest first."""
    found = [path] if path.exists() else []
    number = 1
    while (old := rotated(path, number)).exists():
        found.append(old)
        number += 1
    return found[::-1]


# Reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a rotating log: a byte offset in the file of that inode."""

    inode: int
    offset: int


def read(
    path: Path,
    *,
    instance_id: str = "",
    where: LogFilter = EVERYTHING,
    lines: int | None = None,
    until: Mark | None = None,
) -> Iterator[LogLine]:
    """Lines of one log, oldest first, up to `until`; with `lines` only the last that many that match."""
    if lines is None:
        yield from _forward(path, instance_id, where, until)
    else:
        yield from reversed(list(_last(path, instance_id, where, lines, until)))


def _open_files(path: Path, until: Mark | None) -> Iterator[tuple[IO[bytes], int]]:
    """The log's files, newest first, each with the offset up to which it counts."""
    is_before_mark = until is None
    for file in files_of(path)[::-1]:
        try:
            stream = file.open("rb")
        except FileNotFoundError:
            continue  # rotated away between listing and opening
        with stream:
            status = os.fstat(stream.fileno())
            if is_before_mark or until is None:
                yield stream, status.st_size
            elif status.st_ino == until.inode:
                is_before_mark = True
                yield stream, min(until.offset, status.st_size)


def _forward(path: Path, instance_id: str, where: LogFilter, until: Mark | None) -> Iterator[LogLine]:
    with ExitStack() as opened:
        files = []
        for stream, end in _open_files(path, until):
            files.append((opened.enter_context(os.fdopen(os.dup(stream.fileno()), "rb")), end))
        for stream, end in reversed(files):
            previous = _changed_at(stream)
            if where.since and previous < where.since:
                continue
            stream.seek(0)
            while (left := end - stream.tell()) > 0:
                raw = stream.readline(min(left, MAX_LINE_BYTES))
                line = parse_line(raw, fallback_at=previous, instance_id=instance_id)
                previous = line.at
                if where.matches(line):
                    yield line


def _last(path: Path, instance_id: str, where: LogFilter, count: int, until: Mark | None) -> Iterator[LogLine]:
    """The last `count` matching lines, newest first, read from the end of the newest file backwards."""
    if count <= 0:
        return
    found = 0
    for stream, end in _open_files(path, until):
        following = _changed_at(stream)
        for raw in _lines_backwards(stream, end):
            line = parse_line(raw, fallback_at=following, instance_id=instance_id)
            following = line.at
            if where.since and line.at < where.since - _DISORDER:
                return
            if where.matches(line):
                yield line
                found += 1
                if found >= count:
                    return


def _lines_backwards(stream: IO[bytes], end: int) -> Iterator[bytes]:
    position = end
    rest = b""
    while position > 0:
        start = max(0, position - BLOCK_BYTES)
        stream.seek(start)
        block = stream.read(position - start) + rest
        position = start
        first, *complete = block.split(b"\n")
        yield from (line for line in reversed(complete) if line)
        rest = first
        if len(rest) > MAX_LINE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


def _changed_at(stream: IO[bytes]) -> datetime:
    return datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC)


def merge(streams: Iterable[Iterable[LogLine]]) -> Iterator[LogLine]:
    """Lines of several logs in order of time."""
    return heapq.merge(*streams, key=lambda line: line.at)


def tail(streams: Iterable[Iterable[LogLine]], lines: int) -> list[LogLine]:
    """The last `lines` of several logs together, oldest first; each stream should be limited to `lines` itself."""
    return list(merge(streams))[-lines:] if lines > 0 else []
