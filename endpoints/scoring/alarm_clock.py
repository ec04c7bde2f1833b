"""A sleep that another thread may lengthen without waking the sleeper, which would cost it the interpreter's lock."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any, Optional

_CLOCK_MONOTONIC = 1
_CLOEXEC = 0o2000000


class _Moment(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Setting(ctypes.Structure):
    _fields_ = [("interval", _Moment), ("first", _Moment)]


class AlarmClock:
    """One thread sleeps, any may put its waking off. Where the system has no such timer, nothing can be put off.

    sleep_s: how long the sleeper sleeps from the beginning, or from the last time that it was put off.
    """

    def __init__(self, sleep_s: float) -> None:
        self._sleep_s = sleep_s
        self._setting = _Setting(_Moment(0, 0), _Moment(int(sleep_s), int(sleep_s % 1 * 1e9)))
        self._libc: Any = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock: a call is over in no time
        self._timer: Optional[int] = None
        try:
            self._timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, _CLOEXEC)
        except AttributeError:
            return
        if self._timer < 0:
            self._timer = None

    def sleep(self) -> None:
        """Until the time is up."""
        if self._timer is None:
            time.sleep(self._sleep_s)
            return
        self.put_off()
        os.read(self._timer, 8)

    def put_off(self) -> None:
        """Begin the time anew."""
        if self._timer is not None:
            self._libc.timerfd_settime(self._timer, 0, ctypes.byref(self._setting), None)
