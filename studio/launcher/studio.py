"""The studio as a whole: prepare, start, wait until all answer, look after, stop."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from studio.launcher.checks import CannotStart, ensure_port_free
from studio.launcher.children import Child
from studio.launcher.options import Options
from studio.launcher.processes import clear_markers, redis_child, studio_children

START_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05


class Studio:
    """Starts and stops everything. `run` returns the launcher's exit code."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._children: list[Child] = []
        self._is_stopping = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._make_folders()
        with self._only_one():
            self._ensure_ports()
            try:
                self._start()
                if not self._is_stopping:
                    self._welcome()
                self._look_after()
            finally:
                self._stop()
        return 0

    # Starting ------------------------------------------------------------------------------------------------

    def _make_folders(self) -> None:
        for folder in (self._options.home.root, self._options.home.run, self._options.home.process_logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """Two launchers on one home would start two of everything: the second is refused."""
        with (self._options.home.run / "launcher.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                message = f"a studio already runs on {self._options.home.root} (process {lock.read().strip()})"
                raise CannotStart(message) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _ensure_ports(self) -> None:
        bind = self._options.bind
        ensure_port_free(bind, self._options.port, purpose="the studio", variable="SLIPWAY_PORT")
        ensure_port_free(bind, self._options.gateway_port, purpose="the gateway", variable="SLIPWAY_GATEWAY_PORT")

    def _start(self) -> None:
        clear_markers(self._options)
        if self._options.is_redis_embedded:
            self._launch([redis_child(self._options)])
        self._manage("migrate", "--no-input", "--verbosity", "0")
        self._launch(studio_children(self._options))

    def _launch(self, children: list[Child]) -> None:
        for child in children:
            child.start()
        self._children = [*children, *self._children]
        deadline = time.monotonic() + START_WITHIN_S
        waiting = list(children)
        while waiting and not self._is_stopping:
            waiting = [child for child in waiting if not child.is_ready()]
            for child in waiting:
                if not child.is_alive or time.monotonic() > deadline:
                    what = "ended at once" if not child.is_alive else f"did not answer within {START_WITHIN_S:g} s"
                    raise CannotStart(f"{child.name} {what}; the end of {child.log}:\n{child.last_lines()}")
            time.sleep(LOOK_EVERY_S)

    def _manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a management command; its standard output comes back, its standard error goes to the terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            env=self._options.child_environment(),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            process_group=0,
        )
        if done.returncode != 0:
            raise CannotStart(f"preparing the studio failed at `{arguments[0]}` (exit code {done.returncode})")
        return done.stdout

    # Welcoming -----------------------------------------------------------------------------------------------

    def _welcome(self) -> None:
        connection_file = self._options.home.connection_file
        first = json.loads(self._manage("studio_bootstrap", "--connection-file", str(connection_file)))
        self._tell_command_line()
        is_seeding = self._options.has_sample and bool(first["created"])
        say("")
        say("Slipway is ready")
        say(f"  Studio   {self._options.studio_url}")
        say(f"  Gateway  {self._options.gateway_url}")
        if first["created"] and "SLIPWAY_ADMIN_PASSWORD" not in os.environ:
            say(f"  Sign in as {first['username']} with the password {first['password']}")
            say("  It is shown this once.")
        say("")
        if is_seeding:
            self._seed_sample()
        say("Ctrl-C stops everything.")

    def _tell_command_line(self) -> None:
        """Let `slipway` in any folder of this user find the studio that was started last."""
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "slipway"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            copy = folder / f"connection.json.{os.getpid()}"
            copy.touch(mode=0o600)
            copy.write_bytes(self._options.home.connection_file.read_bytes())
            copy.replace(folder / "connection.json")
        except OSError as error:
            say(f"  (the command line finds this studio only from this folder: {error})")

    def _seed_sample(self) -> None:
        say("Deploying the sample (its environment is built on the first start) …")
        command = [sys.executable, "-m", "django", "seed_sample"]
        seeding = subprocess.Popen(command, env=self._options.child_environment(), process_group=0)
        while seeding.poll() is None:
            if self._is_stopping:
                seeding.terminate()
            self._look_once()
            time.sleep(LOOK_EVERY_S)
        if seeding.returncode and not self._is_stopping:
            say("The sample could not be deployed; its page in the studio says why. The studio itself runs.")

    # Running and stopping ------------------------------------------------------------------------------------

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def _look_after(self) -> None:
        while not self._is_stopping:
            self._look_once()
            time.sleep(0.2)

    def _look_once(self) -> None:
        for child in self._children:
            if told := child.look_after(time.monotonic()):
                say(told)

    def _stop(self) -> None:
        """Beat and web first, then the models, the gateway, and Redis last, so that nothing loses what it talks to."""
        if not self._children:
            return
        say("\nStopping the studio …")
        first = [child for child in self._children if child.name not in {"redis", "gateway"}]
        self._stop_children(first)
        if not self._options.is_keeping_models:
            self._manage("park_instances")
        self._stop_children([child for child in self._children if child.name == "gateway"])
        self._stop_children([child for child in self._children if child.name == "redis"])
        say("Stopped.")

    @staticmethod
    def _stop_children(children: list[Child]) -> None:
        for child in children:
            child.request_stop()
        for child in children:
            child.wait_stopped()


def say(text: str) -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
