"""Why the server could not start, in the shape the studio shows. Knows no server."""

from __future__ import annotations

from typing import Any, Dict, Tuple

INIT_FAILED = "UserScriptInitFailed"
IMPORT_ERROR = "UserScriptImportError"
FUNCTION_NOT_FOUND = "UserScriptFunctionNotFound"
NOT_READY = "ResourceNotReady"
BAD_ARGUMENT = "BadArgument"
CRASH_LOOP = "DeploymentCrashLoopBackOff"

LOG_TAIL_LINES = 40


class BootFailure(Exception):
    """The user's script, or the server's own settings, cannot be served.

    code: one of the above. message: the cause in a sentence. advice: what to do. file, line: the place in the
    user's script, "" and 0 where there is none. log_tail: the last lines of the traceback.
    """

    def __init__(
        self, code: str, message: str, *, advice: str = "", file: str = "", line: int = 0, log_tail: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice
        self.file = file
        self.line = line
        self.log_tail: Tuple[str, ...] = tuple(log_tail.rstrip().splitlines()[-LOG_TAIL_LINES:])

    def as_dict(self) -> Dict[str, Any]:
        """The JSON of the status file; fields that say nothing are left out."""
        fields: Dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "advice": self.advice,
            "file": self.file,
            "line": self.line,
            "log_tail": list(self.log_tail),
        }
        return {name: value for name, value in fields.items() if value}
