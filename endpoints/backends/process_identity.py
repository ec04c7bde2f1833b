"""Which process is an instance's, told apart from a stranger that was given the same number later.

A process is known by its number and the moment it started. What it started in turn is found by the session it runs in
and by the instance's folder in its environment, so that nothing survives by changing its session or its parent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

# Set in every instance's environment to the path of its folder, which no other studio on the host can have.
MARKER = "SLIPWAY_INSTANCE_FOLDER"
_KILL_ROUNDS = 250
_KILL_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """The server's process, as its shim noted it at birth.

    started: the kernel's count of ticks from boot to its start, "" where there is no /proc. session: the shim's.
    """

    pid: int
    session: int
    started: str


def read_identity(pid_file: Path) -> Identity | None:
    """What the shim wrote, None while it has not."""
    try:
        text = pid_file.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not text.endswith("\n"):
        return None
    pid, _, stat = text.strip().partition(" ")
    if not pid.isdigit():
        return None
    fields = _fields(stat)
    return Identity(pid=int(pid), session=int(fields[3]) if fields else 0, started=fields[19] if fields else "")


def is_alive(identity: Identity) -> bool:
    """Whether that very process still runs (one that only waits to be reaped does not)."""
    if not identity.started:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(identity.pid).status() != psutil.STATUS_ZOMBIE
        return False
    try:
        fields = _fields(Path(f"/proc/{identity.pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
    return bool(fields) and fields[19] == identity.started and fields[0] not in "ZX"


def _fields(stat: str) -> list[str]:
    """The fields of a /proc stat line from the state on (the third); the name before it may hold anything."""
    return stat.rpartition(")")[2].split()


def family(folder: Path, identity: Identity | None) -> list[psutil.Process]:
    """Every process of the instance, its server included."""
    # The session's number is ours for certain only while the process that was started in it lives.
    session = identity.session if identity is not None and is_alive(identity) else 0
    return _members(folder, session)


def ask_to_stop(identity: Identity) -> None:
    """SIGTERM to the server alone: it knows how to end its workers."""
    if is_alive(identity):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, signal.SIGTERM)


def kill_family(
    folder: Path, identity: Identity | None, *, pause: Callable[[float], None] = time.sleep
) -> list[psutil.Process]:
    """SIGKILL to all of it, again until none is left; returns what could not be ended (stuck in the kernel)."""
    session = identity.session if identity is not None else 0
    left = family(folder, identity)
    for _ in range(_KILL_ROUNDS):
        if not left:
            return []
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil compares the start time before it signals
        pause(_KILL_PAUSE_S)
        is_session_ours = any(_is_in_session(process, session) for process in left if process.is_running())
        left = _members(folder, session if is_session_ours else 0)
    return left


def marked_processes(root: Path) -> Iterator[tuple[psutil.Process, Path]]:
    """Every process on this host that runs for an instance below `root`, and the instance's folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            folder = Path(process.environ().get(MARKER, ""))
            if process.pid != os.getpid() and root in folder.parents:
                yield process, folder


def _members(folder: Path, session: int) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _belongs(process, folder, session)]


def _belongs(process: psutil.Process, folder: Path, session: int) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return _is_in_session(process, session) or process.environ().get(MARKER) == str(folder)
    except (psutil.Error, OSError):
        return False


def _is_in_session(process: psutil.Process, session: int) -> bool:
    try:
        return session > 0 and os.getsid(process.pid) == session
    except OSError:
        return False
