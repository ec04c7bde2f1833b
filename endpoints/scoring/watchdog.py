"""Ends run() at its time limit and reports one that is stuck, from outside its thread. Knows nothing of HTTP."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Callable, Dict, Optional

from .call import Call

logger = logging.getLogger("azmlinfsrv")


class Watchdog:
    """Ends calls after `timeout_ms`, and with `on_expired` the worker itself after `worker_timeout_s`; 0 for no limit.

    `check` is called every few milliseconds while a call may be running. Whoever does that may doze while nothing is
    going on: with `is_dozing` set, `wake` is called when something begins.
    """

    def __init__(self, *, timeout_ms: int, stuck_after_ms: int, worker_timeout_s: int) -> None:
        self._worker_timeout_s = worker_timeout_s
        self.on_expired: Optional[Callable[[Call], None]] = None
        self._timeout_s = timeout_ms / 1000
        self._stuck_after_s = stuck_after_ms / 1000
        self._main_id = threading.main_thread().ident or 0
        self._running: Dict[int, Call] = {}  # by thread
        self._others = 0
        self._lock = threading.Lock()
        self.stirs = 0  # grows whenever something begins or ends
        self.is_dozing = False
        self.wake: Callable[[], None] = lambda: None

    @property
    def is_busy(self) -> bool:
        return bool(self._running or self._others)

    def begin_other(self) -> None:
        """Something that has no time limit but may write log lines: a stream, or a run() that is awaited."""
        with self._lock:
            self._others += 1
        self._stir()

    def end_other(self) -> None:
        with self._lock:
            self._others -= 1
        self._stir()

    def _stir(self) -> None:
        self.stirs += 1
        if self.is_dozing:
            self.wake()

    def install(self) -> None:
        """Must be called in the main thread: only a signal gets a sleeping main thread's attention."""
        signal.signal(signal.SIGALRM, self._on_alarm)

    def enter(self, call: Call) -> None:
        call.thread_id = threading.get_ident()
        self._running[call.thread_id] = call
        self.stirs += 1
        if self.is_dozing:
            self.wake()
        call.entered_at = time.perf_counter()
        call.is_in_run = True

    def leave(self, call: Call) -> None:
        """After this no interruption can reach the thread. May itself raise the TimeoutError that was under way."""
        call.elapsed_s = time.perf_counter() - call.entered_at
        if call.thread_id == self._main_id:
            call.is_in_run = False
        else:
            with self._lock:
                call.is_in_run = False
            if call.was_interrupted:
                _interrupt(call.thread_id, None)
        self._running.pop(call.thread_id, None)

    def check(self) -> None:
        now = time.perf_counter()
        for call in list(self._running.values()):
            if not call.is_in_run:
                continue
            seconds = now - call.entered_at
            if self._timeout_s and seconds > self._timeout_s and not call.was_interrupted:
                self._end(call)
            if self._stuck_after_s and seconds > self._stuck_after_s and not call.is_reported:
                call.is_reported = True
                self._report(call, seconds)
            if 0 < self._worker_timeout_s < seconds and self.on_expired is not None:
                self._report(call, seconds)
                self.on_expired(call)

    def _end(self, call: Call) -> None:
        with self._lock:
            if not call.is_in_run:
                return
            call.was_interrupted = True
            if call.thread_id == self._main_id:
                signal.pthread_kill(self._main_id, signal.SIGALRM)
            else:
                _interrupt(call.thread_id, TimeoutError)

    def _on_alarm(self, number: int, frame: Optional[FrameType]) -> None:
        call = self._running.get(self._main_id)
        if call is not None and call.is_in_run and call.was_interrupted:
            raise TimeoutError

    def _report(self, call: Call, seconds: float) -> None:
        frame = sys._current_frames().get(call.thread_id)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "(the thread is gone)\n"
        logger.warning(
            "run() has been busy for %.1f s with request %s. Its stack now:\n%s", seconds, call.request_id, stack
        )


def _interrupt(thread_id: int, exception: Optional[type]) -> None:
    """Raise `exception` in the thread at its next bytecode; None takes back one that has not been raised yet."""
    raised = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)
