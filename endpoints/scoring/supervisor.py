"""The parent of the front and of all workers: holds the port, forks, restarts what crashed, pumps logs, keeps the
status file.

It runs none of the user's code and no threads, so it can always fork and always answer a signal.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

from . import channel, nursery, worker
from .child import Pipes
from .endings import crash_loop, describe, unexplained
from .failure import BootFailure
from .front import process as front
from .front.clients import BACKLOG
from .ledger import SIZE as LEDGER_BYTES
from .ledger import Ledger
from .pump import LineReader, Sink, make_line, render
from .rendezvous import open_rendezvous
from .settings import Settings
from .status import StatusFile, now
from .worker import BOOT_FAILED

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SETTLED_S = 60.0  # a worker that served that long crashed for the first time, whatever came before
MAX_BOOT_ATTEMPTS = 5  # of a script that has been ready before
MAX_CRASHES = 5  # in a row, each soon after being ready, with nobody left to answer
EXTRA_GRACE_S = 2.0
TAIL_LINES = 20
RECORDS_BYTES = 4 * LEDGER_BYTES  # in the pipe of records, so that a worker need not wait until it is read
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, which Python knows from 3.10


class _Child:
    """The front, a worker, or the nursery with all its workers."""

    def __init__(self, pid: int, *, is_front: bool) -> None:
        self.pid = pid
        self.is_front = is_front
        self.readers: List[LineReader] = []
        self.events: List[channel.EventReader] = []
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
        self._rendezvous = open_rendezvous()
        self._due: List[Tuple[float, Callable[[], None]]] = []  # when to fork which again
        self._front_crashes = 0
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
        self._fork_front()
        for _ in range(1 if self._settings.is_preloaded else self._settings.worker_count):
            self._fork_workers()
        while self._children or self._due:
            self._turn()
        self._status.update(phase="exited", exit_code=self._exit_code)
        return self._exit_code

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._timeout()):
            key.data()
        self._reap()
        moment = time.monotonic()
        due = [fork for at, fork in self._due if at <= moment]
        self._due = [(at, fork) for at, fork in self._due if at > moment]
        for fork in due:
            fork()
        if self._stop_deadline is not None and moment >= self._stop_deadline:
            self._stop_deadline = moment + EXTRA_GRACE_S
            self._signal_all(signal.SIGKILL)

    def _timeout(self) -> Optional[float]:
        times = [at for at, _ in self._due] + ([self._stop_deadline] if self._stop_deadline is not None else [])
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
        """Refuse new connections, have the front see the others through; kill what does not end."""
        if self._stop_deadline is not None:
            return
        self._exit_code = exit_code
        self._due = []
        self._refuse()
        self._status.update(phase="stopping")
        has_front = any(child.is_front for child in self._children.values())
        grace_s = self._settings.graceful_timeout_s if has_front else 0.0
        self._stop_deadline = time.monotonic() + grace_s + EXTRA_GRACE_S
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        for pid in list(self._children):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    # Workers

    def _fork_front(self) -> None:
        def become(pipes: List[Pipes], parent: int) -> None:
            front.run(self._settings, self._listeners, self._rendezvous, pipes[0], parent)

        self._fork(become, is_front=True)

    def _fork_workers(self) -> None:
        def become(pipes: List[Pipes], parent: int) -> None:
            for closed in (*self._listeners, self._rendezvous.listener):
                closed.close()
            if self._settings.is_preloaded:
                nursery.run(self._settings, self._rendezvous, pipes, parent)
            worker.run(self._settings, self._rendezvous, pipes[0], parent)

        self._fork(become, places=self._settings.worker_count if self._settings.is_preloaded else 1)

    def _fork(self, become: Callable[[List[Pipes], int], None], *, places: int = 1, is_front: bool = False) -> None:
        """`become` gets the pipes of each place and never returns."""
        parent = os.getpid()
        made = [_make_pipes() for _ in range(places)]
        pid = os.fork()
        if pid == 0:
            try:
                self._selector.close()
                self._close_pipes_of_others()
                become([write for _, write in made], parent)
            finally:
                os._exit(1)
        child = _Child(pid, is_front=is_front)
        for read, write in made:
            for descriptor in write.descriptors:
                os.close(descriptor)
            self._listen_to(child, read)
        self._children[pid] = child

    def _close_pipes_of_others(self) -> None:
        for other in self._children.values():
            for descriptor in [each.descriptor for each in other.readers] + [each.descriptor for each in other.events]:
                os.close(descriptor)

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
                self._log("ERROR", "Worker %d %s; it is replaced." % (event["worker"], describe(event["status"])[1]))
                self._count_restart()

    def _on_ready(self, child: _Child) -> None:
        child.ready_at = time.monotonic()
        self._was_ready = True
        self._boot_attempts = 0
        if self._stop_deadline is None:
            for listener in self._listeners:
                listener.listen(BACKLOG)  # as the front did, but another worker's end may have come in between
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
            if child.is_front:  # it has told the workers to end
                self._stop_deadline = min(self._stop_deadline, time.monotonic() + EXTRA_GRACE_S)
            return
        exit_code, how = describe(status)
        if child.is_front:
            self._replace_front(child, how)
            return
        if child.ready_at is None:
            self._on_boot_failed(child, exit_code, how)
            return
        self._log("ERROR", "Worker %d %s." % (child.pid, how))
        if time.monotonic() - child.ready_at > SETTLED_S:
            self._crashes = 0
        if self._crashes + 1 >= MAX_CRASHES and not self._is_anyone_ready():
            self._give_up(crash_loop(how, exit_code, self._sink.text(), self._settings.app_root, times=MAX_CRASHES))
            return
        self._replace()
        self._count_restart()

    def _on_boot_failed(self, child: _Child, exit_code: int, how: str) -> None:
        self._boot_attempts += 1
        failure = child.failure or unexplained(how, exit_code, self._sink.text(), self._settings.app_root)
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
        self._due.append((time.monotonic() + _pause_s(self._crashes), self._fork_workers))
        self._crashes += 1
        if not self._is_anyone_ready():
            self._refuse()

    def _replace_front(self, child: _Child, how: str) -> None:
        """Workers find the next one by themselves; meanwhile callers wait in line."""
        if time.monotonic() - child.started_at > SETTLED_S:
            self._front_crashes = 0
        self._log("ERROR", "The front %s; it is replaced." % how)
        self._due.append((time.monotonic() + _pause_s(self._front_crashes), self._fork_front))
        self._front_crashes += 1
        self._count_restart()

    def _refuse(self) -> None:
        """Nobody answers: let callers fail at once, who may try elsewhere. With a worker the front listens again.

        A socket that is shut twice without listening in between would end its next connections at once.
        """
        for listener in self._listeners:
            with suppress(OSError):  # not possible on this system
                if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    listener.shutdown(socket.SHUT_RD)

    def _log(self, level: str, message: str) -> None:
        self._sink.write(make_line(level, "azmlinfsrv", message, pid=os.getpid()))


def _make_pipes() -> Tuple[Pipes, Pipes]:
    """(the supervisor's ends, the worker's)."""
    ledger = Ledger()
    (out, out_w), (err, err_w), (records, records_w), (events, events_w) = [os.pipe() for _ in range(4)]
    with suppress(OSError):  # not on Linux, or more than this user may have
        fcntl.fcntl(records_w, _SET_PIPE_SIZE, RECORDS_BYTES)
    return Pipes(out, err, records, events, ledger), Pipes(out_w, err_w, records_w, events_w, ledger)


def _pause_s(crashes: int) -> float:
    return 0.0 if not crashes else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (crashes - 1))


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def failed_before_start(status_file: str, failure: BootFailure) -> None:
    """Leave the reason where the studio looks for it."""
    status = StatusFile(status_file, host="", port=0)
    status.update(phase="exited", exit_code=BOOT_FAILED, failure=failure.as_dict())
