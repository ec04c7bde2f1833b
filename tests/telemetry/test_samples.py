"""Instances are counted by state, and those on this host measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from datetime import timedelta

import psutil
import pytest

from endpoints.backends.base import Temporary
from endpoints.backends.docker_usage import Spent, spent
from endpoints.models import CapacityRollup, Instance, InstanceRollup, InstanceType, OnlineDeployment
from endpoints.telemetry.samples import sample
from endpoints.telemetry.usage import ContainerMeter, Meter, Usage
from studio.access.models import User
from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.pages import world
from tests.telemetry.world import NOW

GIB = 1024**3


class Fixed(Meter):
    """Half a core and a quarter of a GiB, for every process there is."""

    def measure(self, pids: Iterable[int]) -> dict[int, Usage]:
        return {pid: Usage(cores=0.5, memory_bytes=GIB // 4) for pid in pids}


@pytest.fixture
def blue(owner: User) -> OnlineDeployment:
    """Two instances that are ready, one that starts, and one that is gone."""
    InstanceType.objects.update_or_create(name="Tiny", defaults={"family": "f", "cores": 1, "memory_gib": 0.5})
    row = world.deployment(world.endpoint(owner, "risk"), "blue")
    OnlineDeployment.objects.update(instance_type="tiny")
    for number, state in enumerate(("Ready", "Ready", "Starting")):
        world.instance(row, number, state=state)
    world.instance(row, 9, state="Failed", ended_at=NOW)
    return row


def test_instances_are_counted_by_state(blue: OnlineDeployment) -> None:
    sample(now=NOW, meter=Meter())
    assert dict(CapacityRollup.objects.values_list("state", "instances")) == {"Ready": 2, "Starting": 1}


def test_usage_is_of_what_the_instance_type_gives(blue: OnlineDeployment) -> None:
    assert sample(now=NOW, meter=Fixed()) == 3
    assert set(InstanceRollup.objects.values_list("samples", "cpu", "memory")) == {(1, 5000, 5000)}


def test_two_looks_in_the_same_ten_seconds_are_one(blue: OnlineDeployment) -> None:
    looks = [sample(now=NOW + timedelta(seconds=second), meter=Fixed()) for second in (0, 4, 10)]
    assert looks == [3, 0, 3]


def test_a_busy_process_is_measured_with_its_children_between_two_looks() -> None:
    loop = "while True: pass"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {loop!r}])"
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        meter = Meter()
        assert meter.measure([process.pid]) == {}
        deadline = time.monotonic() + 20
        while not psutil.Process(process.pid).children() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        usage = meter.measure([process.pid])[process.pid]
        assert usage.cores > 0.02
        assert usage.memory_bytes > 1024**2
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def containers(*looks: dict[str, Spent]) -> ContainerMeter:
    """Counts what is written down here, look after look."""
    left = iter(looks)
    return ContainerMeter(lambda _: next(left))


def test_containers_are_measured_between_two_looks_beside_processes(blue: OnlineDeployment) -> None:
    OnlineDeployment.objects.update(backend="docker")
    name = Instance.objects.filter(ended_at=None).order_by("pk").values_list("pk", flat=True)[0]
    gpu = {"gpu": 0.25, "gpu_memory": 0.5}
    looks = Spent(100.0, 5.0, GIB // 8, **gpu), Spent(110.0, 7.5, GIB // 8, **gpu)
    meter = containers({name: looks[0]}, {name: looks[1]})
    assert [sample(now=NOW + timedelta(seconds=s), meter=Meter(), containers=meter) for s in (0, 10)] == [0, 1]
    row = InstanceRollup.objects.get()
    assert (row.cpu, row.memory, row.peak_spare_cpu, row.gpu_samples) == (2500, 2500, 7500, 1)
    assert (row.gpu, row.gpu_memory) == (2500, 5000)


def test_an_engine_that_is_away_leaves_the_processes_measured() -> None:
    def away(_: str) -> dict[str, Spent]:
        raise Temporary("The Docker engine does not answer.")

    assert ContainerMeter(away).measure("studio") == {}


@pytest.mark.docker
def test_a_busy_container_is_measured_by_its_engine() -> None:
    client, studio = engine(), uuid.uuid4().hex[:12]
    labels = {"slipway.studio": studio, "slipway.instance": "blue-1"}
    busy = client.containers.run(
        BASE_IMAGE, ["sh", "-c", "while :; do :; done"], labels=labels, detach=True, mem_limit="64m", init=True
    )
    try:
        meter = ContainerMeter(lambda id_: spent(id_, client=client))
        assert meter.measure(studio) == {}
        time.sleep(1)
        usage = meter.measure(studio)["blue-1"]
        assert 0.02 < usage.cores < 1.5
        assert 0 < usage.memory_bytes < 64 * 1024**2
        assert usage.gpu is None
    finally:
        busy.remove(force=True)


def test_a_process_that_is_not_there_is_left_out() -> None:
    meter = Meter()
    assert [meter.measure([2**22 - 1]) for _ in range(2)] == [{}, {}]
