"""The `slipway` command: answers at once what it can and leaves the rest to knack; every failure is one message.

stdout carries results only; steps, progress and errors go to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from endpoints.cli.failures import CommandFailed, ExitCode
from endpoints.cli.words import take_local

# Words that are not for the studio's REST API but for the machine it runs on, and the management command they are.
_ON_THIS_MACHINE = {("images", "build-base"): "build_base_image", ("doctor",): "doctor"}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    if words[:1] == ["up"]:
        return _start_studio(words[1:])
    for command, task in _ON_THIS_MACHINE.items():
        if tuple(words[: len(command)]) == command:
            return _run_on_this_machine(task, words[len(command) :])
    words, is_local = take_local(words)
    if is_local:
        return _run_locally(words)
    if words in (["--version"], ["-v"], ["version"]):
        sys.stdout.write(f"slipway {version()}\n")
        return ExitCode.OK
    try:
        return _run(words)
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. What the studio has begun, it goes on with.\n")
        return 130


def _run(words: list[str]) -> int:
    from endpoints.cli.loader import LONG_FLAGS
    from endpoints.cli.program import Program, tell
    from endpoints.cli.words import normalise

    try:
        return int(Program().invoke(normalise(words, LONG_FLAGS)))
    except CommandFailed as failure:
        tell(failure)
        return failure.exit_code


def _start_studio(words: list[str]) -> int:
    """Becomes the launcher, another program: signals and exit code are its own, nothing of it is imported here."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "studio.launcher", *words])  # noqa: S606


def _run_locally(words: list[str]) -> int:
    """Becomes the program that needs no studio; this one is a client of one and knows no backend."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "endpoints.local", *words])  # noqa: S606


def _run_on_this_machine(task: str, words: list[str]) -> int:
    """Becomes a management command, which knows the database and the engine; the command line does not."""
    sys.stdout.flush()
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "studio.settings"}
    os.execve(sys.executable, [sys.executable, "-m", "django", task, *words], environ)  # noqa: S606


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed

    return installed("slipway")


if __name__ == "__main__":
    sys.exit(main())
