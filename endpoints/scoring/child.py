"""What every child of the supervisor does first and last. Knows nothing of what it does in between."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
from typing import Any, NamedTuple, NoReturn, Tuple

from .ledger import Ledger

STACKS_SIGNAL = signal.SIGUSR2  # makes a child write the stacks of its threads to its log

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class Pipes(NamedTuple):
    """One end of everything that leads from a child to the supervisor; `ledger` is the same for both."""

    stdout: int
    stderr: int
    records: int
    events: int
    ledger: Ledger

    @property
    def descriptors(self) -> Tuple[int, int, int, int]:
        return self[:4]


def prepare_process(pipes: Pipes, parent: int, *, name: str) -> None:
    """After the fork: die with the parent, write to the pipes, take signals as a child does. `name`: for `ps`."""
    _die_with_parent(parent)
    _prctl(_PR_SET_NAME, name.encode("ascii"))
    os.dup2(pipes.stdout, 1)
    os.dup2(pipes.stderr, 2)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    faulthandler.enable()
    faulthandler.register(STACKS_SIGNAL)  # works while native code keeps the interpreter's lock
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # a terminal's Ctrl-C is the supervisor's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _die_with_parent(parent: int) -> None:
    """Linux only; elsewhere a child outlives a killed supervisor."""
    if _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) and os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: Any) -> bool:
    """False where there is no such thing."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
    except (OSError, AttributeError):
        return False
    return True


def exit_process(status: int) -> NoReturn:
    """Run the script's exit handlers, but wait for no thread of its own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    try:
        import atexit

        atexit._run_exitfuncs()
    finally:
        os._exit(status)
