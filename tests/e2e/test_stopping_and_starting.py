"""A studio that is stopped, killed and started again: nothing is lost, nothing is doubled, nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, RunningStudio, free_port, start_studio, studio_environment
from tests.e2e.watching import eventually, processes_of

pytestmark = [pytest.mark.slow, pytest.mark.redis]

SAMPLE = "sample"


def score(studio: RunningStudio) -> list[float] | None:
    done = studio.slipway(
        "online-endpoint", "invoke", "-n", SAMPLE, "--request-file", "sample-request.json", check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restarts") / "home"


@pytest.fixture(scope="module")
def first_start(home: Path) -> Iterator[RunningStudio]:
    """A first start with the sample."""
    running = start_studio(home, within_s=300)
    yield running
    running.stop()


def start_again(studio: RunningStudio) -> RunningStudio:
    again = start_studio(studio.home, ports=(studio.port, studio.gateway_port))
    studio.process, studio.output = again.process, again.output
    return studio


def test_a_first_start_deploys_the_sample_and_prints_the_line_that_scores_it(first_start: RunningStudio):
    curl = next((line.strip() for line in first_start.output if line.strip().startswith("curl ")), None)
    assert curl, "".join(first_start.output)
    answer = subprocess.run(["sh", "-c", f"{curl} --silent --fail"], capture_output=True, text=True, check=True)
    assert len(json.loads(answer.stdout)) == 2


def test_a_second_studio_on_the_same_home_is_refused_in_one_line(first_start: RunningStudio):
    done = subprocess.run(
        [sys.executable, "-m", "studio.launcher"],
        cwd=ROOT,
        env=studio_environment(first_start.home, free_port(), free_port()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("slipway: a studio already runs on ") and done.stderr.count("\n") == 1


def test_ctrl_c_leaves_no_process_and_the_next_start_finds_all_as_it_was(first_start: RunningStudio):
    before = score(first_start)
    first_start.stop()
    assert eventually(lambda: not processes_of(first_start, ""), within_s=10)
    start_again(first_start)
    assert not any("password" in line for line in first_start.output)
    assert eventually(lambda: score(first_start)) == before


def test_after_a_killed_launcher_the_running_model_is_adopted_not_doubled(first_start: RunningStudio):
    eventually(lambda: score(first_start))
    pids = {process.pid for process in processes_of(first_start, "slipway_scoring")}
    first_start.process.kill()
    first_start.process.wait()
    eventually(lambda: not processes_of(first_start, "uvicorn") and not processes_of(first_start, "redis-server"))
    assert {process.pid for process in processes_of(first_start, "slipway_scoring")} == pids
    start_again(first_start)
    assert eventually(lambda: score(first_start))
    time.sleep(5)  # two sweeps: a twin would have been started by now
    assert {process.pid for process in processes_of(first_start, "slipway_scoring")} == pids


def test_a_killed_instance_is_replaced_and_the_record_says_why_it_died(first_start: RunningStudio):
    eventually(lambda: score(first_start))
    victims = processes_of(first_start, "slipway_scoring")
    for process in victims:
        process.kill()
    assert eventually(lambda: score(first_start))
    shown = first_start.slipway_json("online-deployment", "show", "-n", "blue", "--endpoint", SAMPLE)
    assert isinstance(shown, dict)
    reasons = " ".join(str(instance.get("reason", "")) for instance in shown["recent_failures"])
    assert shown["provisioning_state"] == "Succeeded"
    assert "SIGKILL" in reasons or "signal 9" in reasons or "killed" in reasons, shown["recent_failures"]


def test_a_worker_killed_in_the_middle_of_a_deployment_finishes_it_after_a_restart(first_start: RunningStudio):
    first_start.slipway("online-endpoint", "create", "-n", "killed")
    document = first_start.slipway_json("online-deployment", "show", "-n", "blue", "--endpoint", SAMPLE)
    assert isinstance(document, dict)
    keys = ("model", "environment", "code_configuration", "instance_type")
    written = first_start.home.parent / "killed.json"
    written.write_text(json.dumps({"name": "blue", "endpoint_name": "killed", **{k: document[k] for k in keys}}))
    first_start.slipway("online-deployment", "create", "-f", str(written), "--no-wait", "--endpoint", "killed")
    for worker in processes_of(first_start, "celery -A studio.celery worker"):
        os.kill(worker.pid, signal.SIGKILL)

    def is_done() -> bool:
        shown = first_start.slipway_json("online-deployment", "show", "-n", "blue", "--endpoint", "killed")
        return isinstance(shown, dict) and shown["provisioning_state"] == "Succeeded"

    assert eventually(is_done, within_s=90)
    assert any("worker ended (killed by SIGKILL)" in line for line in first_start.output)
    first_start.slipway("online-endpoint", "delete", "-n", "killed", "--yes")
    assert not list((first_start.home / "deployments").glob("killed/*"))


@pytest.mark.parametrize(("which", "variable"), [(0, "SLIPWAY_PORT"), (1, "SLIPWAY_GATEWAY_PORT")])
def test_a_taken_port_is_one_line_that_names_it(tmp_path: Path, which: int, variable: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [free_port(), free_port()]
        ports[which] = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "studio.launcher"],
            cwd=ROOT,
            env=studio_environment(tmp_path / "home", ports[0], ports[1]),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and str(ports[which]) in done.stderr and variable in done.stderr
