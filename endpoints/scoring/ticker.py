"""A thread that looks after the others every few milliseconds while they have calls, and sleeps while they have none.

It hands over log lines and answers that wait for company, and has the watchdog look at what takes long. Once a second
it shows that this process still runs Python, which native code that keeps the interpreter's lock prevents.
"""

from __future__ import annotations

import threading
import time
from typing import Callable

from .watchdog import Watchdog

TICK_S = 0.01
PULSE_S = 1.0


class Ticker:
    """`flush` may be called from any thread; `pulse` is called every PULSE_S, from the ticker's own."""

    def __init__(self, watchdog: Watchdog, *, flush: Callable[[], None], pulse: Callable[[], None]) -> None:
        self._watchdog = watchdog
        self._flush = flush
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

    def _tick(self) -> None:
        watchdog = self._watchdog
        seen = -1
        while True:
            watchdog.is_dozing = True
            self._flush()  # what came since the last look, before anybody could know of the doze
            if seen == watchdog.stirs and not self._is_wanted.wait(PULSE_S):
                self._beat()
                continue
            watchdog.is_dozing = False
            self._is_wanted.clear()
            seen = -1
            while seen != watchdog.stirs or watchdog.is_busy:
                seen = watchdog.stirs
                time.sleep(TICK_S)
                self._flush()
                watchdog.check()
                self._beat()

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self._next_pulse:
            self._next_pulse = now + PULSE_S
            self._pulse()
