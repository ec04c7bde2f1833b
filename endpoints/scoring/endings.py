"""How a process ended, in words: what the log and the status file say of it, and what to do about it."""

from __future__ import annotations

import os
import re
import signal
from typing import Any, Dict, Tuple

from .failure import CRASH_LOOP, NOT_READY, BootFailure


def describe(status: int) -> Tuple[int, str]:
    """(exit code, negative for a signal; how it ended)."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return -number, "was ended by %s" % signal.Signals(number).name
    return os.WEXITSTATUS(status), "ended with exit code %d" % os.WEXITSTATUS(status)


def unexplained(how: str, exit_code: int, log_tail: str, app_root: str) -> Dict[str, Any]:
    file, line = _place(log_tail, app_root)
    message = "The model's process %s while it started%s." % (how, _at(file, line))
    advice = _advice(exit_code)
    return BootFailure(NOT_READY, message, advice=advice, file=file, line=line, log_tail=log_tail).as_dict()


def crash_loop(how: str, exit_code: int, log_tail: str, app_root: str, *, times: int) -> Dict[str, Any]:
    file, line = _place(log_tail, app_root)
    message = "The model's process %s%s, %d times soon after it was ready." % (how, _at(file, line), times)
    advice = _advice(exit_code)
    return BootFailure(CRASH_LOOP, message, advice=advice, file=file, line=line, log_tail=log_tail).as_dict()


def _advice(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "Something killed the process, most often for want of memory; choose an instance type with more."
    if exit_code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE, -signal.SIGABRT):
        return (
            "Native code crashed, often a package built for another version of a library it uses; pin versions that "
            "belong together. The log shows the Python lines that led there."
        )
    return "See the log; the script or a library ended the process itself, as os._exit() does."


def _place(log_tail: str, app_root: str) -> Tuple[str, int]:
    """The innermost line of the user's code in the stack that a crash leaves in the log, ("", 0) without one."""
    for path, line in re.findall(r'File "([^"]+)", line (\d+) in', log_tail):
        relative = os.path.relpath(os.path.realpath(path), os.path.realpath(app_root))
        if not relative.startswith("..") and "site-packages" not in relative:
            return relative, int(line)
    return "", 0


def _at(file: str, line: int) -> str:
    return " in %s, line %d" % (file, line) if file else ""
