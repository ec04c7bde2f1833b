"""Log lines inside a worker: one JSON object each, handed to the supervisor through a pipe.

`print` and `logging` of the user's script end up here with the id of the request being served. The supervisor's side
is `pump`. Knows nothing of requests beyond their id.
"""

from __future__ import annotations

import builtins
import json
import logging
import logging.config
import os
import sys
import threading
import time
from typing import Any, List, Optional, Tuple

from . import context

SERVER = "azmlinfsrv"
PRINT = "azmlinfsrv.print"
FLUSH_BYTES = 16 * 1024

_encode = json.JSONEncoder(ensure_ascii=False).encode


class RecordPipe:
    """Writes lines to the supervisor. Lines about requests may wait in `_waiting` until `flush`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._waiting: List[str] = []
        self._waiting_size = 0
        self._pid = os.getpid()
        self._second: Tuple[int, str] = (0, "")

    def begin_process(self, descriptor: int) -> None:
        """After a fork: lines carry this process's id and go where they are told."""
        self._pid = os.getpid()
        self._descriptor = descriptor

    def emit(self, level: str, logger: str, message: str, *, at: Optional[float] = None) -> None:
        """A line that must not be lost if the process dies now."""
        with self._lock:
            self._append(level, logger, message, context.request_id.get(), at)
            self.flush()

    def defer(self, message: str, request_id: str) -> None:
        """A line about an answered request: written with the next flush, or when many wait."""
        with self._lock:
            self._append("INFO", SERVER, message, request_id, None)
            if self._waiting_size >= FLUSH_BYTES:
                self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        with self._lock:
            data = "".join(self._waiting).encode("utf-8", "backslashreplace")
            self._waiting = []
            self._waiting_size = 0
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:  # the supervisor is gone, and this process about to follow
                return

    def _append(self, level: str, logger: str, message: str, request_id: str, at: Optional[float]) -> None:
        of_request = ',"request_id":%s' % _encode(request_id) if request_id else ""
        line = '{"t":"%s","level":"%s","logger":%s,"message":%s%s,"pid":%d}\n' % (
            self._time(time.time() if at is None else at),
            level,
            _encode(logger),
            _encode(message),
            of_request,
            self._pid,
        )
        self._waiting.append(line)
        self._waiting_size += len(line)

    def _time(self, at: float) -> str:
        second = int(at)
        if second != self._second[0]:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return "%s.%03dZ" % (self._second[1], (at - second) * 1000)


class RecordHandler(logging.Handler):
    """`logging` into the pipe."""

    def __init__(self, pipe: RecordPipe) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._pipe.emit(_level(record.levelno), record.name, self.format(record), at=record.created)
        except Exception:  # noqa: BLE001
            self.handleError(record)


def _level(number: int) -> str:
    for limit, name in ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO")):
        if number >= limit:
            return name
    return "DEBUG"


def set_up(pipe: RecordPipe, *, level: str, folders: List[str]) -> bool:
    """Route logging into the pipe, or as the user's logging.json in one of `folders` says.

    Returns whether the user's configuration is in force. Raises ValueError or OSError when it is bad.
    """
    for folder in folders:
        path = os.path.join(folder, "logging.json")
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                logging.config.dictConfig(json.load(file))
            return True
    root = logging.getLogger()
    root.handlers[:] = [RecordHandler(pipe)]
    known = logging.getLevelName(level)
    root.setLevel(known if isinstance(known, int) else logging.INFO)
    logging.captureWarnings(True)
    return False


def redirect_print() -> None:
    """From now on print() to standard output makes records; print(file=...) and sys.stdout.write stay as they are."""
    original = builtins.print
    logger = logging.getLogger(PRINT)

    def log_print(*values: Any, sep: Optional[str] = None, end: Optional[str] = None, **others: Any) -> None:
        target = others.get("file")
        if target is not None and target is not sys.stdout:
            original(*values, sep=sep, end=end, **others)
            return
        logger.info("%s", (" " if sep is None else sep).join([str(value) for value in values]))

    builtins.print = log_print
