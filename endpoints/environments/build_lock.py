"""One builder per content in all threads and processes of a host; the kernel frees the lock when its holders die."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from endpoints.environments.builds import BuildCanceled

_WAIT_S = 0.1


@contextmanager
def build_lock(path: Path, is_cancelled: Callable[[], bool]) -> Iterator[int]:
    """Hold the lock on `path`; yields its descriptor, which a child may inherit to prolong the hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("ab") as file:
            if _try_lock(file.fileno()) and _is_same(file.fileno(), path):
                yield file.fileno()
                return
        if is_cancelled():
            raise BuildCanceled
        time.sleep(_WAIT_S)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one under its name (it goes with the build it guards)."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
