"""Looks at a running studio from outside: its processes, and what becomes true in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

from tests.e2e.conftest import RunningStudio

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within_s: float = 60) -> T:
    """What `look` returns once that is true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.1)
    return found


def processes_of(studio: RunningStudio, words: str) -> list[psutil.Process]:
    """Processes of this studio whose command line holds `words`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if words in line and process.info["status"] != psutil.STATUS_ZOMBIE and _belongs(process, studio):
            found.append(process)
    return found


def _belongs(process: psutil.Process, studio: RunningStudio) -> bool:
    try:
        return str(studio.home) in (process.environ().get("SLIPWAY_HOME", ""), *process.cmdline()) or any(
            str(studio.home) in part for part in process.cmdline()
        )
    except psutil.Error:
        return False
