"""An instance's small JSON files: what the scoring server reports, read without trust, and our own, written whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from endpoints.backends.base import Phase
from endpoints.backends.exit_reasons import exit_reason
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

T = TypeVar("T")

# The phases a living server reports. One that says it has exited but still lives is on its way.
REPORTED = {"running": Phase.RUNNING, "stopping": Phase.STOPPING, "exited": Phase.STOPPING}


class Stop(msgspec.Struct, frozen=True):
    """stop.json: asked to end, killed after `deadline`."""

    deadline: datetime


class Status(msgspec.Struct, kw_only=True):
    """status.json, written by the scoring server on every change."""

    phase: str = "starting"
    host: str = ""
    port: int = 0
    restarts: int = 0
    exit_code: int | None = None
    failure: object = None

    @property
    def told_failure(self) -> Failure | None:
        """The server's failure; one in a shape we do not know is still told."""
        if not self.failure:
            return None
        try:
            return msgspec.convert(self.failure, Failure, strict=False)
        except msgspec.ValidationError:
            told = self.failure.get("message", self.failure) if isinstance(self.failure, dict) else self.failure
            return Failure(code=FailureCode.RESOURCE_NOT_READY, message=str(told))


def failure_from_console(run: Path, exit_code: int | None, console: Callable[[], Sequence[str]]) -> Failure | None:
    """A server that could not even begin leaves its last words on the console, not in a status."""
    if (run / "status.json").exists() or not exit_code or exit_code < 0:
        return None
    tail = tuple(console())
    return Failure(
        code=FailureCode.RESOURCE_NOT_READY,
        message=f"The scoring server could not start: {tail[-1] if tail else exit_reason(exit_code)}",
        advice="The environment may be damaged: build it again, and look at the lines below.",
        log_tail=tail,
    )


def read_status(folder: Path) -> Status:
    return read(folder / "status.json", Status) or Status()


def request_stop(folder: Path, deadline: datetime) -> None:
    """Note that the instance is to end; an earlier deadline stays."""
    earlier = read(folder / "stop.json", Stop)
    write(folder / "stop.json", Stop(deadline=min(deadline, earlier.deadline) if earlier else deadline))


def read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def write(path: Path, value: msgspec.Struct) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(value))
    draft.replace(path)
