"""GPUs are counted, handed out whole to one or in parts to some, and asked for as the engine wants to be asked.

No machine of ours has one: the driver's answer is written down here, the rest is real.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from endpoints.backends import docker_gpus
from endpoints.backends.base import Permanent, Plan, StartInstance
from endpoints.backends.docker_gpus import as_label, choose, device_requests, gpus_of, most_more, read_label, taken
from tests.backends.contract.harness import BLUE, DockerHarness, Target, closing

ANSWER = """GPU-a, NVIDIA A10, 40, 6144, 24576, 150.25
GPU-b, NVIDIA A10, [N/A], 0, 24576, [N/A]
"""
WITH_TOOLKIT: dict[str, Any] = {"Runtimes": {"runc": {}, "nvidia": {}}}


def two() -> tuple[docker_gpus.Gpu, ...]:
    return gpus_of(WITH_TOOLKIT, ask=lambda: ANSWER)


def test_the_drivers_answer_is_read_with_what_it_does_not_tell():
    assert [(gpu.id, gpu.busy, gpu.memory_used, gpu.watts) for gpu in two()] == [
        ("GPU-a", 0.4, 6144.0, 150.25),
        ("GPU-b", 0.0, 0.0, None),
    ]


def test_an_engine_that_can_hand_out_none_has_none_whatever_the_driver_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(docker_gpus, "which", lambda _: None)
    assert gpus_of({"Runtimes": {"runc": {}}}, ask=lambda: ANSWER) == ()
    assert len(gpus_of({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}, ask=lambda: ANSWER)) == 2


def test_a_whole_gpu_belongs_to_one_container():
    first = choose(1, two(), {})
    assert (first, choose(1, two(), first)) == ({"GPU-a": 1.0}, {"GPU-b": 1.0})
    with pytest.raises(Permanent, match="of this host's 2 not enough") as refused:
        choose(2, two(), first)
    assert refused.value.failure.code == "OutOfQuota"


def test_parts_share_a_gpu_and_fill_one_before_the_next():
    given: dict[str, float] = {}
    for _ in range(4):
        for id_, part in choose(1 / 3, two(), given).items():
            given[id_] = given.get(id_, 0.0) + part
    assert {id_: round(part, 3) for id_, part in given.items()} == {"GPU-a": 1.0, "GPU-b": 0.333}


def test_a_gpu_of_which_a_part_is_taken_is_no_whole_one():
    assert choose(1, two(), {"GPU-a": 0.5}) == {"GPU-b": 1.0}


def test_room_is_counted_in_instances():
    assert [most_more(gpus, two(), {"GPU-a": 0.5}) for gpus in (0.5, 1, 2)] == [3, 1, 0]


def test_labels_keep_who_has_what():
    assert taken([as_label({"GPU-a": 1 / 3}), as_label({"GPU-a": 1 / 3, "GPU-b": 1.0})]) == pytest.approx(
        {"GPU-a": 2 / 3, "GPU-b": 1.0}
    )
    assert read_label("") == {}


def test_a_container_sees_its_own_gpus_only():
    (request,) = device_requests({"GPU-b": 1.0, "GPU-a": 1.0})
    assert (request["DeviceIDs"], request["Capabilities"]) == (["GPU-a", "GPU-b"], [["gpu"]])


@pytest.mark.docker
def test_an_instance_is_refused_its_gpu_where_the_host_has_none(tmp_path: Path):
    harness = DockerHarness(tmp_path)
    for target in closing(Target(harness)):
        template = replace(harness.template, gpus=1.0)
        with pytest.raises(Permanent, match="of this host's 0 not enough"):
            target.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", template),)))
        assert target.observed() == {}


@pytest.mark.docker
def test_an_engine_that_cannot_do_what_it_said_is_told_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    harness = DockerHarness(tmp_path)
    monkeypatch.setattr(docker_gpus, "gpus_of", lambda _: two())
    for target in closing(Target(harness)):
        harness.template = replace(harness.template, gpus=0.5)
        target.start("blue-1")
        container: Any = harness.backend._container("blue-1")
        assert container.labels[docker_gpus.LABEL] == "GPU-a=0.500000"
        assert container.attrs["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["GPU-a"]
        failure = target.observed()["blue-1"].failure
        assert failure is not None and "gpu" in failure.message
