"""What a person sees while waiting, on stderr: a line that moves on a terminal, plain lines anywhere else."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS = {"ok": "\033[32m✓\033[0m", "failed": "\033[31m✗\033[0m", "skipped": "\033[2m-\033[0m"}
_PLAIN_MARKS = {"ok": "done", "failed": "FAILED", "skipped": "skipped"}
_REDRAW_EVERY_S = 0.1


class Terminal:
    """Lines that stay, and below them one that changes. Quiet ones print nothing."""

    def __init__(self, stream: TextIO | None = None, *, is_quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._is_quiet = is_quiet
        self.is_live = not is_quiet and self._stream.isatty()
        self._shown = ""
        self._frame = 0
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self._is_quiet:
            self._clear()
            self._write(f"{text}\n")

    def mark(self, outcome: str, text: str) -> None:
        """A line that stays, with how it went before it: ok, failed or skipped."""
        self.say(f"{_MARKS[outcome]} {text}" if self.is_live else f"{_PLAIN_MARKS[outcome]:>7}  {text}")

    def show(self, text: str, *, is_forced: bool = False) -> None:
        """The line that changes; at most ten times a second, and only where it can."""
        now = time.monotonic()
        if not self.is_live or (now - self._drawn_at < _REDRAW_EVERY_S and not is_forced):
            return
        self._drawn_at = now
        self._frame = (self._frame + 1) % len(_FRAMES)
        width = shutil.get_terminal_size().columns - 3  # a line that wraps could not be drawn over
        self._shown = f"{_FRAMES[self._frame]} {text[:width]}"
        self._write(f"\r\033[2K{self._shown}")

    def _clear(self) -> None:
        if self._shown:
            self._write("\r\033[2K")
            self._shown = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def seconds(duration: float) -> str:
    """`0.4 s`, `12 s`, `2 min 5 s`."""
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 60:
        return f"{duration:.0f} s"
    return f"{int(duration // 60)} min {int(duration % 60)} s"


def size(byte_count: float) -> str:
    """`512 B`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if byte_count < 1024:
            return f"{byte_count:.0f} {unit}" if unit == "B" else f"{byte_count:.1f} {unit}"
        byte_count /= 1024
    return f"{byte_count:.1f} GiB"
