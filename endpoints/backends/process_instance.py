"""One instance as its folder tells it: what was started, whether it runs, how it ended. Nothing is kept in memory.

instance.json is written before the process exists, `pid` at its birth and `exit` at its end by the shim, status.json
by the scoring server, stop.json by whoever asked it to end.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from endpoints.backends.base import ObservedInstance, Phase, Temporary
from endpoints.backends.exit_reasons import exit_reason, from_shell_status
from endpoints.backends.instance_files import (
    REPORTED,
    Status,
    Stop,
    failure_from_console,
    read,
    read_status,
    request_stop,
    write,
)
from endpoints.backends.process_identity import Identity, ask_to_stop, is_alive, kill_family, read_identity
from endpoints.backends.process_launch import is_locked

_CONSOLE_BYTES = 16 * 1024
_CONSOLE_LINES = 30
_SHIM_LOOKS = 50
_SHIM_PAUSE_S = 0.005


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """instance.json. server: name of the folder of the scoring server's copy. boot_id: of the host when it started."""

    instance_id: str
    revision: int
    server: str
    boot_id: str
    created_at: datetime


class InstanceFolder:
    """The folder of one instance, which may not exist."""

    def __init__(self, path: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.path, self._pause = path, pause

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def record(self) -> Record | None:
        return read(self.path / "instance.json", Record)

    @property
    def identity(self) -> Identity | None:
        return read_identity(self.path / "pid")

    @property
    def is_running(self) -> bool:
        """Whether its process runs or is being started this moment."""
        identity, record = self.identity, self.record
        if identity is None:
            return is_locked(self.path / "lock")
        return record is not None and record.boot_id == boot_id() and is_alive(identity)

    def write_record(self, record: Record) -> None:
        write(self.path / "instance.json", record)

    def ask_to_stop(self, *, deadline: datetime) -> None:
        """Let it end by itself until `deadline`; an earlier deadline stays."""
        request_stop(self.path, deadline)
        if identity := self.identity:
            ask_to_stop(identity)

    def finish(self) -> None:
        """End at once whatever is left of it, and forget it. Raises Temporary when the kernel holds a process."""
        if left := kill_family(self.path, self.identity, pause=self._pause):
            raise Temporary(f"{len(left)} processes of {self.id} cannot be ended yet.", retry_in=5.0)
        shutil.rmtree(self.path, ignore_errors=True)

    def observe(self, now: datetime) -> ObservedInstance | None:
        """What it is now, None when there is none. A stop whose grace is over is brought to its end."""
        record = self.record
        if record is None:
            return None  # its start was cut short before anything existed; the next start takes it up
        is_running = self.is_running
        if stop := read(self.path / "stop.json", Stop):
            if not is_running or now >= stop.deadline:
                self.finish()
                return None
            return self._running(record, phase=Phase.STOPPING)
        if is_running:
            return self._running(record)
        return self._exited(record) if (self.path / "pid").exists() else None

    def _running(self, record: Record, *, phase: Phase | None = None) -> ObservedInstance:
        status, identity = read_status(self.path), self.identity
        return ObservedInstance(
            instance_id=record.instance_id,
            revision=record.revision,
            phase=phase or REPORTED.get(status.phase, Phase.STARTING),
            host=status.host if status.port else "",
            port=status.port,
            pid=identity.pid if identity else None,
            started_at=record.created_at,
            failure=status.told_failure,
            restarts=status.restarts,
        )

    def _exited(self, record: Record) -> ObservedInstance:
        status = read_status(self.path)
        code = self._exit_code(status)
        return ObservedInstance(
            instance_id=record.instance_id,
            revision=record.revision,
            phase=Phase.EXITED,
            started_at=record.created_at,
            exit_code=code,
            failure=status.told_failure or failure_from_console(self.path, code, self._console_tail),
            restarts=status.restarts,
            reason=exit_reason(code),
        )

    def _exit_code(self, status: Status) -> int | None:
        """From the shim, which may be a moment behind the process it watched; else what the server said itself."""
        for _ in range(_SHIM_LOOKS):
            if (code := self._shims_word()) is not None:
                return code
            if not is_locked(self.path / "lock"):
                break  # the shim is gone as well
            self._pause(_SHIM_PAUSE_S)
        return self._shims_word() if status.exit_code is None else status.exit_code

    def _shims_word(self) -> int | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            text = (self.path / "exit").read_text(encoding="ascii")
            return from_shell_status(int(text)) if text.endswith("\n") else None
        return None

    def _console_tail(self) -> tuple[str, ...]:
        with contextlib.suppress(FileNotFoundError), (self.path / "console.log").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _CONSOLE_BYTES))
            return tuple(file.read().decode("utf-8", "replace").splitlines()[-_CONSOLE_LINES:])
        return ()


def boot_id() -> str:
    """Names the host's present run: process numbers and start ticks begin anew with the next."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
