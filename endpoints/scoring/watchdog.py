"""Ends run() at its time limit and reports one that is stuck, from outside its thread. Knows nothing of HTTP."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
import traceback
from time import perf_counter
from types import FrameType
from typing import Callable, Dict, Optional

from .call import Call

logger = logging.getLogger("azmlinfsrv")


class Turn:
    """What a thread that answers calls is at. `call` is the one whose run() it is in."""

    __slots__ = ("call", "is_main", "thread_id")

    def __init__(self, thread_id: int) -> None:
        self.thread_id = thread_id
        self.is_main = thread_id == threading.main_thread().ident
        self.call: Optional[Call] = None


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
        self._turns: Dict[int, Turn] = {}  # by thread
        self._others = 0
        self._lock = threading.Lock()
        self.stirs = 0  # grows whenever something begins or ends
        self.is_dozing = False
        self.wake: Callable[[], None] = lambda: None

    @property
    def is_busy(self) -> bool:
        return bool(self._others) or any(turn.call is not None for turn in list(self._turns.values()))

    def turn(self) -> Turn:
        """Of the thread that asks."""
        thread_id = threading.get_ident()
        turn = self._turns.get(thread_id)
        if turn is None:
            turn = self._turns[thread_id] = Turn(thread_id)
        return turn

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

    def enter(self, turn: Turn, call: Call) -> None:
        """In the thread whose turn it is."""
        self.stirs += 1
        if self.is_dozing:
            self.wake()
        call.entered_at = perf_counter()
        turn.call = call

    def leave(self, turn: Turn, call: Call) -> None:
        """After this no interruption can reach the thread. May itself raise the TimeoutError that was under way."""
        try:
            call.elapsed_s = perf_counter() - call.entered_at
            if not turn.is_main:
                with self._lock:
                    turn.call = None
                if call.was_interrupted:
                    _interrupt(turn.thread_id, None)
        finally:
            turn.call = None  # whatever was raised just now: the thread may have nothing to do for long

    def check(self) -> None:
        now = perf_counter()
        for turn in list(self._turns.values()):
            call = turn.call
            if call is None:
                continue
            seconds = now - call.entered_at
            if self._timeout_s and seconds > self._timeout_s and not call.was_interrupted:
                self._end(turn, call)
            if self._stuck_after_s and seconds > self._stuck_after_s and not call.is_reported:
                call.is_reported = True
                self._report(turn, call, seconds)
            if 0 < self._worker_timeout_s < seconds and self.on_expired is not None:
                self._report(turn, call, seconds)
                self.on_expired(call)

    def _end(self, turn: Turn, call: Call) -> None:
        with self._lock:
            if turn.call is not call:
                return
            call.was_interrupted = True
            if turn.is_main:
                signal.pthread_kill(turn.thread_id, signal.SIGALRM)
            else:
                _interrupt(turn.thread_id, TimeoutError)

    def _on_alarm(self, number: int, frame: Optional[FrameType]) -> None:
        call = self.turn().call
        if call is not None and call.was_interrupted:
            raise TimeoutError

    def _report(self, turn: Turn, call: Call, seconds: float) -> None:
        frame = sys._current_frames().get(turn.thread_id)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "(the thread is gone)\n"
        logger.warning(
            "run() has been busy for %.1f s with request %s. Its stack now:\n%s", seconds, call.request_id, stack
        )


def _interrupt(thread_id: int, exception: Optional[type]) -> None:
    """Raise `exception` in the thread at its next bytecode; None takes back one that has not been raised yet."""
    raised = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)
