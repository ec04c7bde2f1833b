"""Instances are counted by state, and those on this host measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from endpoints.backends.base import Temporary
from endpoints.backends.docker_gpus import Gpu
from endpoints.backends.docker_usage import Spent, read, spent
from endpoints.models import CapacityRollup, DiskRollup, Instance, InstanceRollup, InstanceType, OnlineDeployment
from endpoints.spec.home import Home
from endpoints.telemetry.disks import used_of
from endpoints.telemetry.samples import sample, sample_host
from endpoints.telemetry.usage import ContainerMeter, Meter, Usage
from studio.access.models import User
from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.pages import world
from tests.telemetry.world import NOW

GIB = 1024**3
TOLD = {"read": "2026-01-31T12:00:00.000000000Z", "cpu_stats": {"cpu_usage": {"total_usage": 1}}}


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


@pytest.fixture
def folders(blue: OnlineDeployment, settings: Any, tmp_path: Path) -> list[Path]:
    """Where the living instances write, oldest first."""
    settings.SLIPWAY_HOME = tmp_path
    living = Instance.objects.filter(ended_at=None).order_by("pk").values_list("pk", flat=True)
    found = [Home(tmp_path).instance("risk", "blue", name) for name in living]
    for folder in found:
        folder.mkdir(parents=True)
    return found


def test_the_filesystem_of_a_processs_folder_is_looked_at(folders: list[Path]) -> None:
    folders[1].rmdir()
    assert sample(now=NOW, meter=Fixed()) == 3
    rows = list(DiskRollup.objects.order_by("instance"))
    assert [(row.instance, row.disk, row.samples) for row in rows] == [
        (folder.name, "work", 1) for folder in (folders[0], folders[2])
    ]
    assert all(row.space == row.peak_space == 10_000 - row.peak_spare_space for row in rows)
    assert rows[0].space == pytest.approx(psutil.disk_usage(str(folders[0])).percent * 100, abs=50)


def test_of_a_folder_that_is_not_there_nothing_is_told(tmp_path: Path) -> None:
    assert used_of(tmp_path / "gone") is None
    assert 0 <= (used_of(tmp_path) or -1) <= 1


def test_a_second_host_adds_the_disks_of_its_own_processes_once(folders: list[Path]) -> None:
    assert [sample_host(now=NOW, meter=Fixed()) for _ in range(2)] == [3, 0]
    assert list(DiskRollup.objects.values_list("samples", flat=True)) == [1, 1, 1]


def test_energy_is_what_gpus_draw_between_two_looks_that_are_near(blue: OnlineDeployment) -> None:
    OnlineDeployment.objects.update(backend="docker")
    name = Instance.objects.filter(ended_at=None).order_by("pk").values_list("pk", flat=True)[0]
    ats = (0.0, 10.0, 20.0, 90.0)
    looks = [Spent(at, 0.0, 0, gpu=0.5, gpu_memory=0.5, gpu_watts=100 + at) for at in ats]
    meter = containers(*({name: look} for look in looks))
    for at in ats:
        sample(now=NOW + timedelta(seconds=at), meter=Meter(), containers=meter)
    rows = InstanceRollup.objects.order_by("start_s").values_list("energy_samples", "gpu_millijoules", "peak_spare_gpu")
    assert list(rows) == [(1, 1_050_000, 5000), (1, 1_150_000, 5000), (0, 0, 5000)]


def test_a_containers_scratch_is_told_where_the_engine_tells(blue: OnlineDeployment) -> None:
    OnlineDeployment.objects.update(backend="docker")
    names = Instance.objects.filter(ended_at=None).order_by("pk").values_list("pk", flat=True)[:2]
    shares = dict(zip(names, (0.25, None), strict=True))
    looks = ({name: Spent(at, 0.0, 0, scratch=shares[name]) for name in names} for at in (0.0, 10.0))
    meter = containers(*looks)
    for second in (0, 10):
        sample(now=NOW + timedelta(seconds=second), meter=Meter(), containers=meter)
    rows = DiskRollup.objects.values_list("instance", "disk", "space", "peak_spare_space")
    assert list(rows) == [(names[0], "scratch", 2500, 7500)]


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
        assert (usage.gpu, usage.gpu_joules) == (None, None)
    finally:
        busy.remove(force=True)


@pytest.mark.parametrize(
    ("told", "scratch"),
    [
        ({"shmem": GIB // 4}, 0.25),
        ({"total_active_anon": 300, "total_inactive_anon": GIB // 2, "total_rss": 300}, 0.5),
        ({"total_rss": 300}, None),
        ({}, None),
    ],
)
def test_scratch_is_read_from_either_version_of_control_groups(told: dict[str, int], scratch: float | None) -> None:
    memory = {"usage": GIB, "limit": 4 * GIB, "stats": told}
    stats = {**TOLD, "memory_stats": memory}
    found = read(stats, {}, "")
    assert found is not None and found.scratch == scratch


def test_a_shared_gpu_draws_its_part_and_a_silent_one_makes_the_sum_unknown() -> None:
    memory = {"usage": GIB, "stats": {}}
    stats = {**TOLD, "memory_stats": memory}
    gpus = {"a": Gpu("a", "A10", 0.5, 1, 2, watts=90.0), "b": Gpu("b", "A10", 0.5, 1, 2)}
    found = [read(stats, gpus, label) for label in ("a=0.333333", "a=1,b=1", "b=1", "")]
    assert [one and one.gpu_watts for one in found] == [pytest.approx(30, abs=0.01), None, None, None]


@pytest.mark.docker
def test_what_a_container_writes_to_its_scratch_is_measured() -> None:
    client, studio = engine(), uuid.uuid4().hex[:12]
    labels = {"slipway.studio": studio, "slipway.instance": "blue-1"}
    write = "head -c 16777216 /dev/zero > /tmp/half && sleep 60"
    busy = client.containers.run(
        BASE_IMAGE,
        ["sh", "-c", write],
        labels=labels,
        detach=True,
        mem_limit="64m",
        tmpfs={"/tmp": "size=1g"},
        init=True,
    )
    try:
        deadline = time.monotonic() + 20
        while (part := spent(studio, client=client)["blue-1"].scratch or 0.0) < 0.25 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert part == pytest.approx(0.25, abs=0.01)  # of the memory it may have, which is less than /tmp's size
    finally:
        busy.remove(force=True)


def test_a_process_that_is_not_there_is_left_out() -> None:
    meter = Meter()
    assert [meter.measure([2**22 - 1]) for _ in range(2)] == [{}, {}]
