"""Lines a second apart, and a log to put them into."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from endpoints.spec.loglines import LogLine, files_of, format_line, rotated

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def at(second: float, message: str = "", *, level: str = "INFO", request_id: str = "") -> LogLine:
    moment, text = NOON + timedelta(seconds=second), message or f"line {second:g}"
    return LogLine(at=moment, level=level, message=text, logger="azmlinfsrv", request_id=request_id)


def put(path: Path, *lines: LogLine) -> Path:
    with path.open("ab") as file:
        file.writelines(format_line(line) for line in lines)
    return path


def rotate(path: Path) -> None:
    for file in files_of(path):
        number = int(file.suffix[1:]) if file.suffix[1:].isdigit() else 0
        file.rename(rotated(path, number + 1))


def messages(lines: Iterable[LogLine]) -> list[str]:
    return [line.message for line in lines]
