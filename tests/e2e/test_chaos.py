"""A whole studio under steady load, while everything in it is killed, restarted, replaced, scaled and taken back.

Retry is on, as it is by default, so not one request may fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.e2e.conftest import RunningStudio, start_studio
from tests.e2e.watching import eventually, processes_of
from tests.gateway.load import SteadyLoad

pytestmark = [pytest.mark.slow, pytest.mark.redis]

RATE = float(os.environ.get("SLIPWAY_CHAOS_RATE", "500"))
# Changes go on until so many were answered; `make bench NAME=chaos` asks for many more than a test run has time for.
WANTED = int(os.environ.get("SLIPWAY_CHAOS_REQUESTS", "15000"))
ENDPOINT = "chaos"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"  # for which the local base stands in
# Long enough for each end of an instance to catch requests in flight.
SCRIPT = """
import time

def init():
    print("version {version}")

def run(raw_data):
    time.sleep({seconds})
    return {{"version": {version}}}
"""
SLOW = 3  # the version that a gate on latency takes back
PLAN = {
    "type": "rollout",
    "endpoint_name": ENDPOINT,
    "from": "green",
    "to": "blue",
    "stages": [{"percent": 20, "seconds": 600}, {"percent": 100, "seconds": 600}],
    "gates": [{"metric": "p50", "max_ratio": 2}],
    "min_requests": 100,
}


class Siege:
    """Steady load from a thread of its own; `during` says which step cost what."""

    def __init__(self, load: SteadyLoad) -> None:
        self.load = load
        self.failures: dict[str, list[str]] = {}
        self.took_s: dict[str, float] = {}

    @contextmanager
    def during(self, step: str, *, settle_s: float = 1.0) -> Iterator[None]:
        """Name what is done now; what fails from here until a moment after it is its fault."""
        before, began = len(self.load.failures), time.monotonic()
        yield
        time.sleep(settle_s)
        self.took_s[step] = round(time.monotonic() - began, 1)
        if failed := self.load.failures[before:]:
            self.failures[step] = failed


@contextmanager
def besieged(studio: RunningStudio) -> Iterator[Siege]:
    load = SteadyLoad(studio.gateway_port, rate=RATE, key=key_of(studio, "primary"), path=f"/{ENDPOINT}/score")
    is_over = threading.Event()

    async def attack() -> None:
        load.start()
        await asyncio.to_thread(is_over.wait)
        await load.stop()

    thread = threading.Thread(target=asyncio.run, args=(attack(),))
    thread.start()
    try:
        yield Siege(load)
    finally:
        is_over.set()
        thread.join()


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        engine()
    return str(request.param)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[RunningStudio]:
    """A studio of its own: what happens to it should happen to no other test."""
    more = {"SLIPWAY_BACKEND": backend, "SLIPWAY_BASE_IMAGE": BASE_IMAGE}
    running = start_studio(tmp_path_factory.mktemp("chaos") / "home", "--no-sample", more=more)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("documents")
    for version, seconds in ((1, 0.015), (2, 0.015), (SLOW, 0.08)):
        (made / f"v{version}").mkdir()
        script = SCRIPT.format(version=version, seconds=seconds)
        (made / f"v{version}" / "score.py").write_text(script, encoding="utf-8")
        for name in ("blue", "green"):
            document = {
                "name": name,
                "endpoint_name": ENDPOINT,
                "code_configuration": {"code": f"v{version}", "scoring_script": "score.py"},
                "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": IMAGE},
                "request_settings": {"max_concurrent_requests_per_instance": 16, "request_timeout_ms": 30000},
                "instance_type": "Standard_DS2_v2",
                "instance_count": 3,
            }
            (made / f"{name}-v{version}.yml").write_text(json.dumps(document), encoding="utf-8")
    (made / "request.json").write_text("{}", encoding="utf-8")
    (made / "plan.yml").write_text(json.dumps(PLAN), encoding="utf-8")
    return made


def key_of(studio: RunningStudio, kind: str) -> str:
    keys = studio.slipway_json("online-endpoint", "get-credentials", "-n", ENDPOINT)
    assert isinstance(keys, dict)
    return str(keys[f"{kind}Key"])


def kill(processes: list[psutil.Process]) -> None:
    assert processes
    for process in processes:
        process.kill()


def instances(studio: RunningStudio, deployment: str) -> list[str]:
    """Names of the ready ones."""
    shown = studio.slipway_json("online-deployment", "show", "-n", deployment, "-e", ENDPOINT)
    assert isinstance(shown, dict)
    return [each["id"] for each in shown["instances"] if each["state"] == "Ready"]


def kill_instance(studio: RunningStudio, name: str) -> None:
    """As whatever it is."""
    containers = engine().containers.list(filters={"label": f"slipway.instance={name}"}) if is_docker(studio) else []
    for container in containers:
        container.kill()
    if not containers:
        kill(processes_of(studio, name))


def is_docker(studio: RunningStudio) -> bool:
    shown = studio.slipway_json("online-deployment", "show", "-n", "blue", "-e", ENDPOINT)
    assert isinstance(shown, dict)
    return bool(shown["backend"] == "docker")


def kill_and_await_another(studio: RunningStudio, words: str) -> None:
    before = {process.pid for process in processes_of(studio, words)}
    kill(processes_of(studio, words))
    eventually(lambda: {process.pid for process in processes_of(studio, words)} - before)


def update(studio: RunningStudio, folder: Path, file: str) -> str:
    """What the terminal said."""
    return studio.slipway("online-deployment", "update", "-f", file, cwd=folder).stderr


def plan(studio: RunningStudio, folder: Path, file: str) -> str:
    """The same, of what would change."""
    return studio.slipway("plan", "-f", file, cwd=folder).stderr


def scale(studio: RunningStudio, count: int) -> None:
    count_now = f"instance_count={count}"
    studio.slipway("online-deployment", "update", "-n", "green", "-e", ENDPOINT, "--set", count_now)


def give(studio: RunningStudio, split: str) -> None:
    studio.slipway("online-endpoint", "update", "-n", ENDPOINT, "--traffic", split)


def version_of(studio: RunningStudio, folder: Path) -> Callable[[], int]:
    def ask() -> int:
        answer = studio.slipway("online-endpoint", "invoke", "-n", ENDPOINT, "-r", "request.json", cwd=folder)
        return int(json.loads(answer.stdout)["version"])

    return ask


def hurt(siege: Siege, studio: RunningStudio) -> None:
    """Kill one of everything, and renew the gateway."""
    with siege.during("an instance is killed"):
        victim = instances(studio, "blue")[0]
        kill_instance(studio, victim)
        eventually(lambda: victim not in (ready := instances(studio, "blue")) and len(ready) == 3)
    if not is_docker(studio):  # another user's processes, and none of their command lines name the instance
        kill_a_working_process(siege, studio)
    with siege.during("the worker is killed"):
        kill_and_await_another(studio, "studio.celery worker")
    with siege.during("Redis is killed"):
        kill_and_await_another(studio, "redis-server")
    with siege.during("the gateway is renewed", settle_s=4):
        (master,) = [each for each in processes_of(studio, "endpoints.gateway") if each.ppid() == studio.process.pid]
        os.kill(master.pid, signal.SIGHUP)


def kill_a_working_process(siege: Siege, studio: RunningStudio) -> None:
    for name in ("slipway-worker", "slipway-front"):
        with siege.during(f"an instance's {name} is killed, its keeper lives"):
            (process,) = [each for each in processes_of(studio, instances(studio, "blue")[0]) if each.name() == name]
            keeper = process.parent()
            assert keeper is not None
            others = keeper.children()
            process.kill()
            eventually(lambda keeper=keeper, others=others: set(keeper.children()) - set(others))  # type: ignore[misc]


def rotate_keys(siege: Siege, studio: RunningStudio) -> None:
    """Each key in turn, while callers use the other."""
    with siege.during("keys are rotated"):
        for fresh, stale in (("secondary", "primary"), ("primary", "secondary")):
            studio.slipway("online-endpoint", "regenerate-keys", "-n", ENDPOINT, "--key-type", fresh)
            siege.load.key = key_of(studio, fresh)
            time.sleep(0.5)
            studio.slipway("online-endpoint", "regenerate-keys", "-n", ENDPOINT, "--key-type", stale)


def shift(siege: Siege, studio: RunningStudio, folder: Path) -> None:
    """A second deployment takes over."""
    with siege.during("a second deployment comes"):
        studio.slipway("online-deployment", "create", "-f", "green-v1.yml", cwd=folder)
    for split in ("blue=50 green=50", "blue=0 green=100"):
        with siege.during(f"traffic {split}"):
            give(studio, split)
    siege.load.answers.clear()
    with siege.during("all traffic is at green"):
        pass
    assert set(siege.load.answers) == {"green"}


def change(siege: Siege, studio: RunningStudio, folder: Path) -> None:
    """The one that serves is changed in place, scaled, and taken back."""
    version = version_of(studio, folder)
    with siege.during("the script is updated"):
        planned = plan(studio, folder, "green-v2.yml")
        assert "restarts 3" in planned and "never fewer than 3 of 3 answer" in planned
        update(studio, folder, "green-v2.yml")
    assert version() == 2
    with siege.during("the same is applied again"):
        before = instances(studio, "green")
        assert "nothing to change" in plan(studio, folder, "green-v2.yml")
        assert "Nothing to change." in update(studio, folder, "green-v2.yml")
        assert instances(studio, "green") == before
    for count in (5, 2, 3):
        with siege.during(f"scale to {count}"):
            scale(studio, count)
    with siege.during("the worker is killed in the middle of taking it back"):
        words = ("-n", "green", "-e", ENDPOINT, "--revision", "1", "--no-wait")
        studio.slipway("online-deployment", "rollback", *words)
        kill_and_await_another(studio, "studio.celery worker")
        eventually(lambda: version() == 1 and len(instances(studio, "green")) == 3)


def breach(siege: Siege, studio: RunningStudio, folder: Path) -> None:
    """A slower version comes by stages, and is taken back by its gate."""
    with siege.during("blue becomes a slow version, without traffic"):
        update(studio, folder, f"blue-v{SLOW}.yml")
    with siege.during("a gate takes the slow version back"):
        words = ("online-endpoint", "rollout", "start", "-f", "plan.yml")
        ended = studio.slipway(*words, cwd=folder, check=False)
        assert ended.returncode == 1 and "p50" in ended.stderr, ended.stderr
    split = studio.slipway_json("online-endpoint", "show", "-n", ENDPOINT, "--query", "traffic")
    assert split == {"blue": 0, "green": 100}


def test_nothing_that_happens_to_the_studio_costs_a_request(studio: RunningStudio, folder: Path):
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT)
    studio.slipway("online-deployment", "create", "-f", "blue-v1.yml", "--all-traffic", cwd=folder)
    began = time.monotonic()
    with besieged(studio) as siege:
        hurt(siege, studio)
        rotate_keys(siege, studio)
        answered = siege.load.total
        shift(siege, studio, folder)
        change(siege, studio, folder)
        breach(siege, studio, folder)
        while answered + siege.load.total < WANTED and not siege.failures:
            change(siege, studio, folder)
            update(studio, folder, "blue-v1.yml")
            breach(siege, studio, folder)
        answered += siege.load.total
    print(f"{answered} answers in {time.monotonic() - began:.0f} s, by step: {siege.took_s}")
    assert siege.failures == {}
    assert siege.load.failures == []
    assert answered >= WANTED
