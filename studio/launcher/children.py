"""One child process of the studio: started in a group of its own, restarted when it dies, stopped in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOG_LIMIT_BYTES = 20 * 1024 * 1024
BACK_OFF_S = (0.5, 1, 2, 5, 10, 30)
STEADY_AFTER_S = 60.0
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """In the child, before it runs: a launcher that is killed takes its children along (Linux)."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        return


@dataclass(slots=True)
class Child:
    """`is_ready` asks the process itself whether it answers; it is called often and must be quick."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    restart_at: float = field(default=0.0)

    def start(self) -> None:
        """Start it; its output goes to the log, the last run's log is kept beside it when it has grown large."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches the launcher alone, which then stops the children in order.
                process_group=0,
                preexec_fn=_die_with_parent,
            )
        self.started_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def look_after(self, now: float) -> str | None:
        """Restart it if it died, with back-off; returns a sentence when there is something to tell."""
        if self.is_alive:
            if self.failures and now - self.started_at > STEADY_AFTER_S:
                self.failures = 0
            return None
        if self.restart_at == 0.0:
            wait_s = BACK_OFF_S[min(self.failures, len(BACK_OFF_S) - 1)]
            self.failures += 1
            self.restart_at = now + wait_s
            code = self.process.returncode if self.process else None
            return f"{self.name} ended ({describe_exit(code)}); starting it again in {wait_s:g} s. Log: {self.log}"
        if now >= self.restart_at:
            self.restart_at = 0.0
            self.start()
        return None

    def request_stop(self) -> None:
        if self.is_alive and self.process is not None:
            self.process.send_signal(self.stop_signal)

    def wait_stopped(self) -> None:
        """Wait for the end that was asked for; what is left of its group after the time is killed."""
        if self.process is None:
            return
        try:
            self.process.wait(self.stop_within_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_lines(self, count: int = 15) -> str:
        """The end of its log, for a person whose studio did not start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])


def describe_exit(code: int | None) -> str:
    """How a process ended, in words: `code` as `subprocess` gives it."""
    if code is None:
        return "never started"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
