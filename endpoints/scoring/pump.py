"""The supervisor's side of logs: pipes of workers in, a rotated file of JSON lines or text on standard output out."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any, Dict, Optional

MAX_LINE_BYTES = 256 * 1024  # a longer line without an end is cut into several


class Sink:
    """Where whole lines of JSON go."""

    def write(self, lines: bytes) -> None:
        """Some whole lines."""
        raise NotImplementedError


class RotatingFile(Sink):
    """`path`, then `path`.1 (the newest old one) to `path`.`keep`; lines are never cut by a rotation."""

    def __init__(self, path: str, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._open()

    def write(self, lines: bytes) -> None:
        """A full disk loses lines rather than stopping the model."""
        while lines:
            if self._size and self._size + len(lines) > self._max_bytes:
                fitting = lines.rfind(b"\n", 0, max(0, self._max_bytes - self._size)) + 1
                self._append(lines[:fitting])
                lines = lines[fitting:]
                self._rotate()
                continue
            whole = len(lines)
            if whole > self._max_bytes:
                whole = (lines.rfind(b"\n", 0, self._max_bytes) + 1) or (lines.find(b"\n") + 1)
            self._append(lines[:whole])
            lines = lines[whole:]

    def _append(self, lines: bytes) -> None:
        if not lines:
            return
        try:
            self._size += os.write(self._descriptor, lines)
        except OSError:
            self._size += len(lines)

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        os.close(self._descriptor)
        try:
            if self._keep < 1:
                os.remove(self._path)
            for index in range(self._keep, 0, -1):
                older = "%s.%d" % (self._path, index)
                newer = "%s.%d" % (self._path, index - 1) if index > 1 else self._path
                if os.path.exists(newer):
                    os.replace(newer, older)
        except OSError:
            pass  # the folder was taken away: go on in a new file if one can be made
        self._open()


class TextOutput(Sink):
    """Lines as people read them in a terminal or in a container's log."""

    def write(self, lines: bytes) -> None:
        text = "".join([render(line) for line in lines.splitlines() if line])
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            pass  # nobody reads any more


def render(line: bytes) -> str:
    """`2026-01-31 12:04:17,201 I [123] azmlinfsrv.print - hello`, the original's format."""
    try:
        record: Dict[str, Any] = json.loads(line)
        at = str(record["t"]).replace("T", " ").replace(".", ",").rstrip("Z")
        return "%s %s [%s] %s - %s\n" % (at, record["level"][0], record["pid"], record["logger"], record["message"])
    except (ValueError, KeyError, IndexError):
        return line.decode("utf-8", "replace") + "\n"


def make_line(level: str, logger: str, message: str, *, pid: int, at: Optional[float] = None) -> bytes:
    """One line of JSON made by the supervisor."""
    now = time.time() if at is None else at
    milliseconds = round(now * 1000)
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    stamp = "%s.%03dZ" % (second, milliseconds % 1000)
    record = {"t": stamp, "level": level, "logger": logger, "message": message, "pid": pid}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


class LineReader:
    """Cuts what comes out of one pipe into whole lines for the sink.

    stream: "records" are JSON already and pass as they are; of "stdout" and "stderr" every line becomes a record.
    """

    def __init__(self, descriptor: int, stream: str, sink: Sink, *, pid: int) -> None:
        self.descriptor = descriptor
        self._stream = stream
        self._sink = sink
        self._pid = pid
        self._rest = b""

    def read(self) -> bool:
        """Take what there is. False when the other side is closed."""
        try:
            data = os.read(self.descriptor, 256 * 1024)
        except OSError:
            data = b""
        if not data:
            self._deliver(self._rest + b"\n" if self._rest else b"")
            self._rest = b""
            return False
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        if not end and len(data) > MAX_LINE_BYTES and self._stream != "records":
            data += b"\n"
            end = len(data)
        self._rest = data[end:]
        self._deliver(data[:end])
        return True

    def drain(self) -> None:
        """Everything that is in the pipe now, its last line even without an end."""
        while _has_data(self.descriptor):
            if not self.read():
                return
        self._deliver(self._rest + b"\n" if self._rest else b"")
        self._rest = b""

    def _deliver(self, lines: bytes) -> None:
        if not lines:
            return
        if self._stream != "records":
            level = "INFO" if self._stream == "stdout" else "WARNING"
            texts = lines.decode("utf-8", "replace").splitlines()
            made = [make_line(level, self._stream, text, pid=self._pid) for text in texts if text]
            lines = b"".join(made)
        if lines:
            self._sink.write(lines)


def _has_data(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return any(event & select.POLLIN for _, event in poller.poll(0))
