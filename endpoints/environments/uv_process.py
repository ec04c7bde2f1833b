"""One run of uv: its lines passed on as they come, ended when the caller wants it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_LOOK_S = 0.1


class UvFailed(Exception):
    """uv ended with an error; `lines` is all it said."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(lines[-1] if lines else "no output")
        self.lines = tuple(lines)


class UvCanceled(Exception):
    """The run was ended at the caller's wish."""


def run_uv(
    uv: Path,
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    is_cancelled: Callable[[], bool],
    held: int,
) -> None:
    """Run uv to its end.

    held: a descriptor uv inherits. The lock on it lasts as long as uv does, so that after a kill -9 of this process
    nobody builds into the same folder while the orphan still writes there.
    """
    lines: list[str] = []
    process = subprocess.Popen(
        [uv, *arguments, "--color", "never"],
        cwd="/",
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(held,),
    )
    with _watched(process, is_cancelled) as was_cancelled:
        assert process.stdout is not None  # noqa: S101 -- it is a pipe
        for line in process.stdout:
            lines.append(line.rstrip())
            say(lines[-1])
        code = process.wait()
    if was_cancelled.is_set():
        raise UvCanceled
    if code != 0:
        raise UvFailed(lines)


@contextlib.contextmanager
def _watched(process: subprocess.Popen[str], is_cancelled: Callable[[], bool]) -> Iterator[threading.Event]:
    """Kill `process` with all it started when `is_cancelled()` says so or the block is left while it runs."""
    finished, was_cancelled = threading.Event(), threading.Event()

    def watch() -> None:
        while not finished.wait(_LOOK_S):
            if is_cancelled():
                was_cancelled.set()
                _kill(process)
                return

    watcher = threading.Thread(target=watch, name="uv-watch", daemon=True)
    watcher.start()
    try:
        yield was_cancelled
    finally:
        finished.set()
        watcher.join()
        if process.poll() is None:
            _kill(process)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
