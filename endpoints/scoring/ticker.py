"""A thread that looks after the others every few milliseconds while they have calls, and sleeps while they have none.

It hands over log lines and answers that wait for company, and has the watchdog look at what takes long. Once a second
it shows that this process still runs Python, which native code that keeps the interpreter's lock prevents.

Each time it wakes it takes the interpreter's lock from a thread that answers calls, some percent of what short ones
cost. So as long as those come and go, their thread hands the log lines over itself and lets the ticker sleep on.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Callable

from .alarm_clock import AlarmClock
from .watchdog import Watchdog

TICK_S = 0.01
STAND_IN_S = TICK_S / 4
LOOK_S = 0.1  # the ticker has its look at least that often while calls come and go
PULSE_S = 1.0


class Ticker:
    """`flush` hands over everything, `flush_lines` log lines alone: both from any thread.

    `pulse` is called every PULSE_S, from the ticker's own.
    """

    def __init__(
        self,
        watchdog: Watchdog,
        *,
        flush: Callable[[], None],
        flush_lines: Callable[[], None],
        pulse: Callable[[], None],
    ) -> None:
        self._watchdog = watchdog
        self._flush = flush
        self._flush_lines = flush_lines
        self._clock = AlarmClock(TICK_S)
        self._looked_at = self._stood_in_at = self._flushed_at = 0.0
        self._pulse = pulse
        self._next_pulse = 0.0
        self._is_wanted = threading.Event()
        watchdog.wake = self._is_wanted.set

    def start(self) -> None:
        threading.Thread(target=self._tick, name="ticker", daemon=True).start()

    def flush_if_dozing(self) -> None:
        """For a thread that is about to wait: a line of its own may have come after the last look."""
        if self._watchdog.is_dozing:
            self._flush()

    def stand_in(self) -> None:
        """For a thread between two calls. What it holds itself it looks after anyway."""
        now = perf_counter()
        if now - self._stood_in_at < STAND_IN_S:
            return
        self._stood_in_at = now
        if now - self._flushed_at >= TICK_S:
            self._flushed_at = now
            self._flush_lines()
        if now - self._looked_at < LOOK_S and not self._watchdog.is_busy:
            self._clock.put_off()

    def _tick(self) -> None:
        watchdog = self._watchdog
        seen = -1
        while True:
            watchdog.is_dozing = True
            self._flush()  # what came since the last look, before anybody could know of the doze
            if seen == watchdog.stirs and not self._is_wanted.wait(PULSE_S):
                self._beat(perf_counter())
                continue
            watchdog.is_dozing = False
            self._is_wanted.clear()
            seen = -1
            while seen != watchdog.stirs or watchdog.is_busy:
                seen = watchdog.stirs
                self._clock.sleep()
                self._looked_at = now = perf_counter()
                self._flush()
                watchdog.check()
                self._beat(now)

    def _beat(self, now: float) -> None:
        if now >= self._next_pulse:
            self._next_pulse = now + PULSE_S
            self._pulse()
