"""Why a process or container ended, in a sentence a data scientist understands."""

from __future__ import annotations

import signal

_HINTS = {
    signal.SIGKILL: ", e.g. by the kernel for want of memory or by hand",
    signal.SIGSEGV: ": a crash in native code, often a package built for another version of a library it uses",
    signal.SIGABRT: ": native code gave up, often for want of memory or on a failed check",
    signal.SIGBUS: ": a file it had mapped became shorter, or the disk or shared memory is full",
    signal.SIGILL: ": a package was built for a processor with instructions this one lacks",
    signal.SIGFPE: ": a division by zero in native code",
    signal.SIGTERM: ": it was asked to stop from outside",
    signal.SIGINT: ": it was interrupted from outside",
    signal.SIGXCPU: ": it used up its limit of processor time",
}


def from_shell_status(status: int) -> int:
    """The exit code behind a shell's `$?`: above 128 it means a signal, negative in Python's way of counting."""
    if status <= 128:
        return status
    try:
        signal.Signals(status - 128)
    except ValueError:
        return status
    return 128 - status


def exit_reason(exit_code: int | None, *, was_out_of_memory: bool = False) -> str:
    """`exit_code` as a sentence: negative for a signal, None when nobody saw the end."""
    if was_out_of_memory:
        return "killed by the kernel: it used more memory than its instance type has"
    if exit_code is None:
        return "it is gone, and nobody saw why: the host was restarted, or it was killed together with its watcher"
    if exit_code < 0:
        return _signal_reason(-exit_code)
    if exit_code == 0:
        return "exited by itself with code 0, though a server should run until it is stopped"
    if exit_code in (126, 127):
        return f"the Python of the environment could not be started (exit code {exit_code})"
    return f"exited with code {exit_code}"


def _signal_reason(number: int) -> str:
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"killed by signal {number}"
    return f"killed by signal {number} ({known.name}){_HINTS.get(known, '')}"
