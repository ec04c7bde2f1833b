"""Sockets and threads of one worker.

One thread at a time holds the baton: it polls the sockets, reads, answers what needs no user code. The main thread
holds it while calls of run() are short, and makes them itself, with no hand-over at all. When one takes longer than a
few milliseconds the relief thread takes the baton and goes on answering (health above all); while calls are usually
long it keeps it, and the main thread, with others up to the allowed concurrency, takes calls from a queue. run() is
called in the main thread unless more than one call may go on at once: scripts rely on it.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Callable, Deque, Optional, Sequence, Set

from .answers import fatal
from .app import App
from .call import Call
from .clients import Clients
from .connection import Connection
from .http.parser import BadRequest
from .http.response import CONTINUE, LAST_CHUNK, HttpResponse
from .poller import READ, WRITE, Poller

logger = logging.getLogger("azmlinfsrv")

TICK_S = 0.004  # a call that lasts two ticks is overtaken
LONG_CALL_S = 0.001  # mean above which calls are handed to threads; below half of it no more
SWEEP_S = 1.0
_MAIN, _RELIEF = 1, 2


class Server:
    """Serves until stopped. `flush` writes waiting log lines; `on_stuck` ends a process that will not stop."""

    _always_hands_over = False

    def __init__(
        self,
        app: App,
        listeners: Sequence[socket.socket],
        *,
        max_concurrent: int = 1,
        graceful_timeout_s: float = 10.0,
        has_siblings: bool = False,
        flush: Callable[[], None],
        on_stuck: Callable[[], None],
    ) -> None:
        self.app = app
        self._max_concurrent = max_concurrent
        self._graceful_timeout_s = graceful_timeout_s
        self._has_siblings = has_siblings
        self._flush = flush
        self._on_stuck = on_stuck
        app.watchdog.on_expired = self._give_up
        self._poller = Poller()
        self._clients = Clients(self._poller, listeners)
        self._busy: Set[Connection] = set()  # whose calls other threads have
        self._returned: Deque[Connection] = deque()  # with requests already read, from threads that do not poll
        self._calls: queue.SimpleQueue[Optional[Call]] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards who holds the baton
        self._holder = _MAIN
        self._inline: Optional[Call] = None  # what the main thread runs while it holds the baton
        self._serial = 0
        self._main_wants_baton = False
        self._main_has_baton = threading.Event()
        self._relief_is_called = threading.Event()
        self._is_relief_dozing = False
        self._wake_read, self._wake_write = os.pipe()
        self._mean_call_s = 0.0
        self._are_calls_long = self._always_hands_over
        self._stop_asked = False
        self._stop_deadline: Optional[float] = None
        self._is_done = False
        self._next_sweep = 0.0

    # The main thread

    def serve(self) -> None:
        """Returns after a stop, when everything is answered."""
        self._begin()
        while not self._is_done:
            call = self._next_call()
            if call is not None:
                self._run_queued(call)
            elif not self._are_calls_long:
                self._regain_baton()
                self._turn(_MAIN)
        self._finish()

    def stop(self) -> None:
        """Finish what is in flight, refuse the rest. Safe in a signal handler and in any thread."""
        self._stop_asked = True
        self._wake()

    def _begin(self) -> None:
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poller.watch(self._wake_read)
        self._clients.start_accepting()
        if threading.current_thread() is threading.main_thread():
            self.app.watchdog.install()
            signal.signal(signal.SIGTERM, lambda number, frame: self.stop())
            signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        if self._are_calls_long:
            self._holder = _RELIEF
            self._relief_is_called.set()
        threading.Thread(target=self._relieve, name="relief", daemon=True).start()
        for number in range(1, self._max_concurrent):
            threading.Thread(target=self._run_calls, name="run-%d" % number, daemon=True).start()

    def _finish(self) -> None:
        for connection in self._clients.all():
            self._clients.close(connection)
        self._flush()

    def _next_call(self) -> Optional[Call]:
        """The next waiting call; waits for one only while calls are long, when the relief thread polls."""
        try:
            return self._calls.get(self._are_calls_long)
        except queue.Empty:
            return None

    def _regain_baton(self) -> None:
        with self._lock:
            if self._holder == _MAIN or self._is_done:
                return
            self._main_has_baton.clear()
            self._main_wants_baton = True
        self._wake()
        self._main_has_baton.wait()

    def _run_inline(self, call: Call) -> bool:
        """Run the call in the thread that polls. False when the baton has been taken meanwhile."""
        self._begin_inline(call)
        response = self.app.execute(call)
        self._answer_call(call, response)
        with self._lock:
            self._inline = None
            is_holder = self._holder == _MAIN
        self._note(call)
        if not is_holder:
            self._give_back(call.connection)
        return is_holder

    def _begin_inline(self, call: Call) -> None:
        self._inline = call
        self._serial += 1
        if self._is_relief_dozing:
            self._relief_is_called.set()

    def _run_queued(self, call: Call) -> None:
        with self._lock:
            is_holder = self._holder == _MAIN and threading.current_thread() is threading.main_thread()
            if is_holder:
                self._begin_inline(call)
        if not call.connection.is_gone():
            self._answer_call(call, self.app.execute(call))
            self._note(call)
        else:
            call.connection.must_close = True
        if is_holder:
            with self._lock:
                self._inline = None
        self._give_back(call.connection)

    def _run_calls(self) -> None:
        """A further thread for user code."""
        while True:
            call = self._calls.get()
            if call is None:
                return
            self._run_queued(call)

    def _note(self, call: Call) -> None:
        """Decide by the mean how calls are made from now on."""
        mean = self._mean_call_s = self._mean_call_s * 0.9 + call.elapsed_s * 0.1
        if mean > LONG_CALL_S:
            self._are_calls_long = True
        elif mean < LONG_CALL_S / 2:
            self._are_calls_long = self._always_hands_over

    # The relief thread

    def _relieve(self) -> None:
        """Doze until a call begins; look every tick while calls follow; poll when the main thread cannot."""
        serial = -1
        while not self._is_done:
            self._doze(serial)
            while self._holder == _MAIN and not self._is_done:
                self._relief_is_called.wait(TICK_S)
                self._flush()
                call, before, serial = self._inline, serial, self._serial
                if before == serial:
                    if call is None:
                        break
                    self._take_baton(call)
                self.app.watchdog.check()
            if self._holder == _RELIEF:
                self._relief_is_called.clear()
                self._turn(_RELIEF)

    def _doze(self, serial: int) -> None:
        self._is_relief_dozing = True
        self._flush()  # what was written since the last look, before the main thread could know of the doze
        if self._holder == _MAIN and serial == self._serial and not self._is_done:
            self._relief_is_called.wait()
        self._is_relief_dozing = False
        self._relief_is_called.clear()

    def _take_baton(self, call: Call) -> None:
        with self._lock:
            if self._inline is not call or self._holder != _MAIN:
                return
            self._holder = _RELIEF
            self._hand_over(call)

    def _hand_baton_back(self) -> bool:
        with self._lock:
            if not self._main_wants_baton:
                return False
            self._main_wants_baton = False
            self._holder = _MAIN
        self._main_has_baton.set()
        return True

    # Whoever holds the baton

    def _turn(self, role: int) -> None:
        """Poll and answer until the baton goes to the other or the server is done."""
        poll, find = self._poller.poll, self._clients.find
        while self._holder == role and not self._is_done:
            if role == _RELIEF:
                self._flush()
                self.app.watchdog.check()
                if self._hand_baton_back():
                    return
            elif self._are_calls_long:
                with self._lock:
                    self._holder = _RELIEF
                self._relief_is_called.set()
                return
            elif self._is_relief_dozing:
                self._flush()
            events = poll(self._poll_timeout(role))
            now = time.monotonic()
            if role == _RELIEF and self._main_wants_baton:
                continue
            for descriptor, event in events:
                connection = find(descriptor)
                if connection is None:
                    self._on_other(descriptor)
                else:
                    connection.touched_at = now
                    if not self._on_ready(connection, event):
                        return
            if now >= self._next_sweep:
                self._next_sweep = now + SWEEP_S
                self._clients.sweep(now)
            if self._stop_asked and not self._go_on_stopping(now):
                return

    def _poll_timeout(self, role: int) -> float:
        if self._stop_asked:
            return 0.02
        if self._busy:
            return 0.02
        return SWEEP_S if self._clients else 60.0

    def _on_other(self, descriptor: int) -> None:
        if descriptor == self._wake_read:
            self._drain_wake()
            while self._returned:
                connection = self._returned.popleft()
                if not connection.is_closed:
                    self._resume(connection)
        else:
            self._clients.accept(descriptor)

    def _on_ready(self, connection: Connection, event: int) -> bool:
        """Returns whether this thread still holds the baton."""
        if connection.is_busy:
            return True
        if connection.pending:
            if event & ~READ:
                connection.send_pending()
                return self._settle(connection)
            return True
        data = connection.receive()
        if data is None:
            return True
        if not data:
            self._clients.close(connection)
            return True
        if connection.is_lingering:
            return True
        if connection.parser.is_idle:
            connection.began_at = connection.touched_at
        connection.parser.feed(data)
        return self._advance(connection)

    def _advance(self, connection: Connection) -> bool:
        """Answer every request that has come whole. Returns whether this thread still holds the baton."""
        while True:
            try:
                request = connection.parser.next_request()
            except BadRequest as bad:
                response = fatal(bad.status, str(bad))
                connection.answer(response, method="GET", keep_alive=False, is_http10=False)
                return self._settle(connection)
            if request is None:
                if connection.parser.awaits_continue and not connection.was_told_to_continue:
                    connection.was_told_to_continue = True
                    connection.send(CONTINUE)
                return True
            connection.was_told_to_continue = False
            connection.began_at = connection.touched_at
            answer = self.app.begin(request)
            if isinstance(answer, Call):
                answer.connection = connection
                connection.is_busy = True
                if not self._dispatch(answer):
                    return False
            else:
                keep_alive = request.keep_alive and not self._stop_asked
                connection.answer(answer, method=request.method, keep_alive=keep_alive, is_http10=request.is_http10)
            if connection.is_busy:
                return True
            if connection.must_close or connection.pending:
                return self._settle(connection)

    def _dispatch(self, call: Call) -> bool:
        """Run the call here, or queue it. Returns whether this thread still holds the baton."""
        if self._holder == _MAIN and not self._are_calls_long:
            if not self._run_inline(call):
                return False
            call.connection.is_busy = False
            return True
        self._hand_over(call)
        self._calls.put(call)
        return True

    def _hand_over(self, call: Call) -> None:
        self._busy.add(call.connection)
        self._clients.unwatch(call.connection)

    def _settle(self, connection: Connection) -> bool:
        """After an answer: wait for the client to take the rest, close, or read on. Returns True."""
        if connection.pending:
            self._clients.watch(connection, WRITE)
        elif connection.must_close:
            self._clients.hang_up(connection)
        else:
            self._clients.watch(connection, READ)
            return self._advance(connection)
        return True

    def _resume(self, connection: Connection) -> None:
        connection.is_busy = False
        self._settle(connection)

    def _give_back(self, connection: Connection) -> None:
        """From a thread that does not poll: let the poller have the connection again."""
        self._busy.discard(connection)
        connection.touched_at = connection.began_at = time.monotonic()
        is_plain = not connection.pending and not connection.must_close and connection.parser.is_idle
        if is_plain and self._poller.is_live and not self._stop_asked:
            connection.is_busy = False
            self._clients.watch(connection, READ)
            return
        self._returned.append(connection)
        self._wake()

    def _answer_call(self, call: Call, response: HttpResponse) -> None:
        connection, request = call.connection, call.request
        keep_alive = request.keep_alive and not self._stop_asked
        if self._has_siblings and not self._calls.empty():
            keep_alive = False  # let the client find a worker with less to do
        is_http10 = request.is_http10
        if connection.answer(response, method=request.method, keep_alive=keep_alive, is_http10=is_http10):
            self._stream(call, response)
        elif response.close is not None:
            response.close()

    def _stream(self, call: Call, response: HttpResponse) -> None:
        connection, is_http10 = call.connection, call.request.is_http10
        try:
            for chunk in self.app.chunks(call, response):
                if not connection.send_waiting(connection.frame(chunk, is_http10=is_http10)):
                    return
            if not is_http10:
                connection.send_waiting(LAST_CHUNK)
        except Exception:
            logger.exception("Encountered Exception while streaming")
            connection.must_close = True
        finally:
            call.elapsed_s = time.perf_counter() - call.received_at
            if response.close is not None:
                response.close()

    # Waking and stopping

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake
            os.write(self._wake_write, b"\0")

    def _drain_wake(self) -> None:
        try:
            data = os.read(self._wake_read, 4096)
        except OSError:
            return
        if signal.SIGTERM in data:  # the C side of a signal: the main thread may be deep in user code
            self._stop_asked = True

    def _go_on_stopping(self, now: float) -> bool:
        """Close what is idle; end the server when nothing is left or time is up. Returns whether to poll on."""
        if self._stop_deadline is None:
            self._stop_deadline = now + self._graceful_timeout_s
            self._clients.stop_accepting(for_good=True)
        self._clients.close_idle(now)
        if self._clients and now < self._stop_deadline:
            return True
        if any(connection.is_busy for connection in self._clients.all()):
            logger.warning("run() did not finish within %.1f s of being asked to stop", self._graceful_timeout_s)
            self._flush()
            self._on_stuck()
        self._end()
        return False

    def _give_up(self, call: Call) -> None:
        """WORKER_TIMEOUT: answer for the call, then end the process; the supervisor starts another."""
        logger.error("run() exceeded the worker's time limit; the worker is replaced.")
        call.connection.answer(fatal(500), method="GET", keep_alive=False, is_http10=call.request.is_http10)
        self._flush()
        os._exit(1)

    def _end(self) -> None:
        self._is_done = True
        for _ in range(self._max_concurrent):
            self._calls.put(None)
        self._main_has_baton.set()
        self._relief_is_called.set()
