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
from typing import Any, Dict, List, Optional, Tuple

from . import context
from .ledger import Ledger

SERVER = "azmlinfsrv"
PRINT = "azmlinfsrv.print"
_quote = json.encoder.encode_basestring
_REMEMBERED = 256  # levels and loggers


class RecordPipe:
    """Writes lines to the supervisor. Those of a request wait in the ledger for the next `flush`, a few ms later."""

    def __init__(self, descriptor: int, ledger: Ledger) -> None:
        self._descriptor = descriptor
        self._ledger = ledger
        self._lock = threading.RLock()
        self._pid = os.getpid()
        # Pieces that several lines have in common, each beside what it is for: other threads may change them
        self._begin: Tuple[int, str] = (0, "")
        self._kinds: Dict[Tuple[str, str], str] = {}
        self._end: Tuple[str, str] = ("", self._end_of(""))

    def begin_process(self, descriptor: int, ledger: Ledger) -> None:
        """After a fork: lines carry this process's id and go where they are told."""
        self._pid = os.getpid()
        self._end = ("", self._end_of(""))
        self._descriptor = descriptor
        self._ledger = ledger

    def emit(self, level: str, logger: str, message: str, *, at: Optional[float] = None) -> None:
        """A line about whatever the running thread does. Outside requests nobody flushes, so it is done here."""
        request_id = context.request_id()
        known_id, end = self._end
        if request_id != known_id:
            end = self._end_of(request_id)
            self._end = (request_id, end)
        self._add(self._begin_of(level, logger, time.time() if at is None else at) + _quote(message) + end)
        if not request_id:
            self.flush()

    def defer(self, lines: List[Tuple[str, str]], level: int = logging.INFO) -> None:
        """Lines about requests that are answered, each with its request's id."""
        begin = self._begin_of(_level(level), SERVER, time.time())
        self._add("".join([begin + _quote(message) + self._end_of(request_id) for message, request_id in lines]))

    def flush(self) -> None:
        if self._ledger.is_empty:
            return
        with self._lock:
            self._write(self._ledger.read())
            self._ledger.clear()

    def _add(self, lines: str) -> None:
        data = lines.encode("utf-8", "backslashreplace")
        with self._lock:
            if not self._ledger.append(data):
                self.flush()
                if not self._ledger.append(data):
                    self._write(data)

    def _begin_of(self, level: str, logger: str, at: float) -> str:
        """What comes before the message."""
        second, begin = self._begin
        if int(at) != second:
            second = int(at)
            begin = time.strftime('{"t":"%Y-%m-%dT%H:%M:%S', time.gmtime(second))
            self._begin = (second, begin)
        kind = self._kinds.get((level, logger)) or self._kind(level, logger)
        return "%s.%03d%s" % (begin, (at - second) * 1000, kind)

    def _kind(self, level: str, logger: str) -> str:
        """The piece of a line between its time and its message."""
        if len(self._kinds) >= _REMEMBERED:
            self._kinds.clear()
        kind = self._kinds[level, logger] = 'Z","level":"%s","logger":%s,"message":' % (level, _quote(logger))
        return kind

    def _end_of(self, request_id: str) -> str:
        """What follows the message."""
        return '%s,"pid":%d}\n' % (',"request_id":' + _quote(request_id) if request_id else "", self._pid)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # the supervisor is gone, and this process about to follow
            return


class RecordHandler(logging.Handler):
    """`logging` into the pipe."""

    def __init__(self, pipe: RecordPipe) -> None:
        super().__init__()
        self._pipe = pipe

    def handle(self, record: logging.LogRecord) -> bool:
        """The pipe has a lock of its own."""
        is_wanted = not self.filters or bool(self.filter(record))
        if is_wanted:
            self.emit(record)
        return is_wanted

    def emit(self, record: logging.LogRecord) -> None:
        try:
            is_plain = self.formatter is None and record.exc_info is None and record.stack_info is None
            message = record.getMessage() if is_plain else self.format(record)
            self._pipe.emit(_level(record.levelno), record.name, message, at=record.created)
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
