"""What can go wrong for a caller of the command line, and the exit code that tells it to a script."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from endpoints.spec.errors import FieldError


class ExitCode(IntEnum):
    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3


class CommandFailed(Exception):
    """Ends the command with one clear message. `details` name fields, `hints` are lines printed below."""

    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, *, details: Sequence[FieldError] = (), hints: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.hints = tuple(hints)


class UsageError(CommandFailed):
    """The command was not written as it can be understood."""

    exit_code = ExitCode.USAGE


class StudioError(CommandFailed):
    """The studio refused. `code` is its stable word, `request_id` finds the matching line in its log."""

    def __init__(
        self, message: str, *, status: int, code: str, details: Sequence[FieldError] = (), request_id: str = ""
    ) -> None:
        hints = [f"Request id for the studio's log: {request_id}"] if request_id and status >= 500 else []
        super().__init__(message, details=details, hints=hints)
        self.status = status
        self.code = code
        self.exit_code = ExitCode.NOT_FOUND if status == 404 else ExitCode.FAILURE


class StudioUnreachable(CommandFailed):
    """Nothing answers where the studio should be."""
