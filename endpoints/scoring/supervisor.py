"""The parent of all workers: holds the port, forks, restarts what crashed, pumps logs, keeps the status file.

It runs none of the user's code and no threads, so it can always fork and always answer a signal.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

from . import channel, nursery, worker
from .failure import CRASH_LOOP, NOT_READY, BootFailure
from .ledger import Ledger
from .pump import LineReader, Sink, make_line, render
from .settings import Settings
from .status import StatusFile, now
from .worker import BOOT_FAILED, Pipes

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SETTLED_S = 60.0  # a worker that served that long crashed for the first time, whatever came before
MAX_BOOT_ATTEMPTS = 5  # of a script that has been ready before
MAX_CRASHES = 5  # in a row, each soon after being ready, with nobody left to answer
EXTRA_GRACE_S = 2.0
TAIL_LINES = 20


class _Child:
    """A worker, or the nursery with all its workers."""

    def __init__(self, pid: int, readers: List[LineReader], events: List[channel.EventReader]) -> None:
        self.pid = pid
        self.readers = readers
        self.events = events
        self.ledgers: List[Ledger] = []
        self.started_at = time.monotonic()
        self.ready_at: Optional[float] = None
        self.failure: Optional[Dict[str, Any]] = None


class _Tail(Sink):
    """Remembers the last lines on their way to the real sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._last: Deque[bytes] = deque(maxlen=TAIL_LINES)

    def write(self, lines: bytes) -> None:
        self._sink.write(lines)
        self._last.extend(lines.splitlines()[-TAIL_LINES:])

    def text(self) -> str:
        return "".join([render(line) for line in self._last])


class Supervisor:
    """`run` returns the exit code: 0 after a stop, 3 when the script cannot be served."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], sink: Sink) -> None:
        self._settings = settings
        self._listeners = listeners
        self._sink = _Tail(sink)
        self._selector = selectors.DefaultSelector()
        self._children: Dict[int, _Child] = {}
        self._due: List[float] = []  # when to fork again
        self._crashes = 0
        self._boot_attempts = 0
        self._was_ready = False
        self._stop_deadline: Optional[float] = None
        self._exit_code = 0
        host, port = listeners[0].getsockname()[:2]
        self._status = StatusFile(settings.status_file, host=_reachable(host), port=port)
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> int:
        self._take_signals()
        self._status.write()
        self._log("INFO", "Listening at %s port %d" % (self._status.state["host"], self._status.state["port"]))
        for _ in range(1 if self._settings.is_preloaded else self._settings.worker_count):
            self._fork()
        while self._children or self._due:
            self._turn()
        self._status.update(phase="exited", exit_code=self._exit_code)
        return self._exit_code

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._timeout()):
            key.data()
        self._reap()
        moment = time.monotonic()
        due = [at for at in self._due if at <= moment]
        if due and self._stop_deadline is None:
            self._due = [at for at in self._due if at > moment]
            for _ in due:
                self._fork()
        if self._stop_deadline is not None and moment >= self._stop_deadline:
            self._stop_deadline = moment + EXTRA_GRACE_S
            self._signal_all(signal.SIGKILL)

    def _timeout(self) -> Optional[float]:
        times = self._due + ([self._stop_deadline] if self._stop_deadline is not None else [])
        return max(0.0, min(times) - time.monotonic()) if times else None

    # Signals

    def _take_signals(self) -> None:
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_signal)

    def _on_signal(self) -> None:
        try:
            numbers = os.read(self._wake_read, 1024)
        except OSError:
            return
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop(0)

    def _stop(self, exit_code: int) -> None:
        """Refuse new connections, have workers finish theirs; kill those that do not."""
        if self._stop_deadline is not None:
            return
        self._exit_code = exit_code
        self._due = []
        self._refuse()
        self._status.update(phase="stopping")
        self._stop_deadline = time.monotonic() + self._settings.graceful_timeout_s + EXTRA_GRACE_S
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        for pid in list(self._children):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    # Workers

    def _fork(self) -> None:
        parent = os.getpid()
        count = self._settings.worker_count if self._settings.is_preloaded else 1
        made = [_make_pipes() for _ in range(count)]
        pid = os.fork()
        if pid == 0:
            self._become_worker([write for _, write in made], parent)
        child = _Child(pid, [], [])
        for read, write in made:
            for descriptor in write.descriptors:
                os.close(descriptor)
            self._listen_to(child, read)
        self._children[pid] = child

    def _become_worker(self, pipes: List[Pipes], parent: int) -> None:
        """In the child. Never returns, whatever happens."""
        try:
            self._selector.close()
            for other in self._children.values():
                for descriptor in [reader.descriptor for reader in other.readers] + [
                    reader.descriptor for reader in other.events
                ]:
                    os.close(descriptor)
            if self._settings.is_preloaded:
                nursery.run(self._settings, self._listeners, pipes, parent)
            else:
                worker.run(self._settings, self._listeners, pipes[0], parent)
        finally:
            os._exit(1)

    def _listen_to(self, child: _Child, read: Pipes) -> None:
        for stream, descriptor in (("stdout", read.stdout), ("stderr", read.stderr), ("records", read.records)):
            os.set_blocking(descriptor, False)
            reader = LineReader(descriptor, stream, self._sink, pid=child.pid)
            child.readers.append(reader)
            self._selector.register(descriptor, selectors.EVENT_READ, self._reading(reader))
        child.ledgers.append(read.ledger)
        events = channel.EventReader(read.events)
        child.events.append(events)
        self._selector.register(read.events, selectors.EVENT_READ, lambda: self._on_events(child, events))

    def _reading(self, reader: LineReader) -> Callable[[], None]:
        def read() -> None:
            if not reader.read():
                self._forget(reader.descriptor)

        return read

    def _on_events(self, child: _Child, reader: channel.EventReader) -> None:
        events = reader.read()
        if not events:
            self._forget(reader.descriptor)
        for event in events:
            if event["event"] == channel.READY:
                self._on_ready(child)
            elif event["event"] == channel.FAILED:
                child.failure = event["failure"]
            elif event["event"] == channel.CRASHED:
                self._log("ERROR", "Worker %d %s; it is replaced." % (event["worker"], _describe(event["status"])[1]))
                self._count_restart()

    def _on_ready(self, child: _Child) -> None:
        child.ready_at = time.monotonic()
        self._was_ready = True
        self._boot_attempts = 0
        if self._stop_deadline is None:
            self._status.update(phase="running", ready_at=self._status.state["ready_at"] or now())

    def _forget(self, descriptor: int) -> None:
        with suppress(KeyError):
            self._selector.unregister(descriptor)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._bury(child, status)

    def _bury(self, child: _Child, status: int) -> None:
        """Read its last words, then decide whether to go on without it, replace it, or give up."""
        for events in child.events:
            self._on_events(child, events)
            self._forget(events.descriptor)
            os.close(events.descriptor)
        for reader in child.readers:
            reader.drain()
            self._forget(reader.descriptor)
            os.close(reader.descriptor)
        for ledger in child.ledgers:
            self._sink.write(ledger.read())
            ledger.close()
        if self._stop_deadline is not None:
            return
        exit_code, how = _describe(status)
        if child.ready_at is None:
            self._on_boot_failed(child, exit_code, how)
            return
        self._log("ERROR", "Worker %d %s." % (child.pid, how))
        if time.monotonic() - child.ready_at > SETTLED_S:
            self._crashes = 0
        if self._crashes + 1 >= MAX_CRASHES and not self._is_anyone_ready():
            self._give_up(_crash_loop(how, exit_code, self._sink.text(), self._settings.app_root))
            return
        self._replace()
        self._count_restart()

    def _on_boot_failed(self, child: _Child, exit_code: int, how: str) -> None:
        self._boot_attempts += 1
        failure = child.failure or _unexplained(how, exit_code, self._sink.text(), self._settings.app_root)
        if self._was_ready and self._boot_attempts < MAX_BOOT_ATTEMPTS:
            self._log("ERROR", "A worker could not start again: %s" % failure["message"])
            self._replace()
            return
        self._log("ERROR", "Worker failed to boot.")
        self._give_up(failure)

    def _give_up(self, failure: Dict[str, Any]) -> None:
        self._status.update(failure=failure)
        self._stop(BOOT_FAILED)

    def _is_anyone_ready(self) -> bool:
        return any(child.ready_at is not None for child in self._children.values())

    def _count_restart(self) -> None:
        self._status.update(restarts=self._status.state["restarts"] + 1)

    def _replace(self) -> None:
        """The first time at once, then with pauses that double."""
        pause = 0.0 if not self._crashes else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._crashes - 1))
        self._crashes += 1
        self._due.append(time.monotonic() + pause)
        if not self._is_anyone_ready():
            self._refuse()

    def _refuse(self) -> None:
        """Nobody answers: let callers fail at once, who may try another instance. A ready worker listens again."""
        for listener in self._listeners:
            with suppress(OSError):  # not listening, or not possible on this system
                listener.shutdown(socket.SHUT_RD)

    def _log(self, level: str, message: str) -> None:
        self._sink.write(make_line(level, "azmlinfsrv", message, pid=os.getpid()))


def _make_pipes() -> Tuple[Pipes, Pipes]:
    """(the supervisor's ends, the worker's)."""
    ledger = Ledger()
    (out, out_w), (err, err_w), (records, records_w), (events, events_w) = [os.pipe() for _ in range(4)]
    return Pipes(out, err, records, events, ledger), Pipes(out_w, err_w, records_w, events_w, ledger)


def _describe(status: int) -> Tuple[int, str]:
    """(exit code, negative for a signal; how it ended)."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return -number, "was ended by %s" % signal.Signals(number).name
    return os.WEXITSTATUS(status), "ended with exit code %d" % os.WEXITSTATUS(status)


def _unexplained(how: str, exit_code: int, log_tail: str, app_root: str) -> Dict[str, Any]:
    file, line = _place(log_tail, app_root)
    message = "The model's process %s while it started%s." % (how, _at(file, line))
    advice = _advice(exit_code)
    return BootFailure(NOT_READY, message, advice=advice, file=file, line=line, log_tail=log_tail).as_dict()


def _crash_loop(how: str, exit_code: int, log_tail: str, app_root: str) -> Dict[str, Any]:
    file, line = _place(log_tail, app_root)
    message = "The model's process %s%s, %d times soon after it was ready." % (how, _at(file, line), MAX_CRASHES)
    advice = _advice(exit_code)
    return BootFailure(CRASH_LOOP, message, advice=advice, file=file, line=line, log_tail=log_tail).as_dict()


def _advice(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "Something killed the process, most often for want of memory; choose an instance type with more."
    if exit_code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE, -signal.SIGABRT):
        return (
            "Native code crashed, often a package built for another version of a library it uses; pin versions that "
            "belong together. The log shows the Python lines that led there."
        )
    return "See the log; the script or a library ended the process itself, as os._exit() does."


def _place(log_tail: str, app_root: str) -> Tuple[str, int]:
    """The innermost line of the user's code in the stack that a crash leaves in the log, ("", 0) without one."""
    for path, line in re.findall(r'File "([^"]+)", line (\d+) in', log_tail):
        relative = os.path.relpath(os.path.realpath(path), os.path.realpath(app_root))
        if not relative.startswith("..") and "site-packages" not in relative:
            return relative, int(line)
    return "", 0


def _at(file: str, line: int) -> str:
    return " in %s, line %d" % (file, line) if file else ""


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def failed_before_start(status_file: str, failure: BootFailure) -> None:
    """Leave the reason where the studio looks for it."""
    status = StatusFile(status_file, host="", port=0)
    status.update(phase="exited", exit_code=BOOT_FAILED, failure=failure.as_dict())
