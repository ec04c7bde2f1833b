"""What is particular to instances that are containers: the fence around them, and an engine with moods of its own."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import docker
import pytest

from endpoints.backends.base import Permanent, Phase, Plan, Runtime, StartInstance, Temporary
from endpoints.backends.docker import DockerBackend
from endpoints.backends.docker_container import Places, options
from endpoints.backends.docker_networks import Networks
from endpoints.spec.home import Home
from tests.backends.contract.harness import BLUE, DockerHarness, Target, closing, engine

pytestmark = pytest.mark.docker


@pytest.fixture
def harness(tmp_path: Path) -> DockerHarness:
    return DockerHarness(tmp_path)


@pytest.fixture
def target(harness: DockerHarness) -> Iterator[Target]:
    yield from closing(Target(harness))


def is_all(phase: Phase):
    return lambda found: bool(found) and all(instance.phase is phase for instance in found.values())


def container_of(harness: DockerHarness, instance_id: str = "blue-1") -> Any:
    return harness.backend._container(instance_id)


def runs(container: Any, *command: str) -> tuple[int, str]:
    """A command's exit code and output inside the container."""
    code, output = container.exec_run(list(command))
    return code, output.decode()


@pytest.fixture
def running(target: Target, harness: DockerHarness) -> Any:
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    return container_of(harness)


# The fence


def test_a_container_has_no_privileges_and_can_write_only_its_scratch(running: Any):
    assert runs(running, "id", "-u")[1].strip() == "1000"
    assert "CapEff:\t0000000000000000" in runs(running, "cat", "/proc/self/status")[1]
    assert "NoNewPrivs:\t1" in runs(running, "cat", "/proc/self/status")[1]
    for place in ("/usr/x", "/var/azureml-app/x", "/opt/slipway/server/x"):
        assert runs(running, "touch", place)[0] != 0, place
    assert runs(running, "touch", "/tmp/x")[0] == 0


def test_a_container_has_the_limits_of_its_instance_type(running: Any):
    config = running.attrs["HostConfig"]
    assert (config["Memory"], config["NanoCpus"], config["PidsLimit"]) == (256 * 1024**2, 10**9, 1024)


def test_limits_beyond_the_host_are_clipped_to_it(harness: DockerHarness):
    big = replace(harness.template, memory_bytes=10**15, cpu_cores=500)
    found = options(big, harness_places(), instance_id="x", host={"MemTotal": 1000, "NCPU": 2})
    assert (found["mem_limit"], found["nano_cpus"]) == (1000, 2 * 10**9)


def harness_places() -> Any:
    return Places(app=Path("/a"), models=Path("/m"), server=Path("/s"), run=Path("/r"), log=Path("/l"))


def test_a_script_finds_its_model_where_azure_puts_it(target: Target, running: Any):
    instance = target.observed()["blue-1"]
    with urllib.request.urlopen(f"http://{instance.host}:{instance.port}/") as answer:
        seen = json.load(answer)
    assert seen["AZUREML_MODEL_DIR"] == "/var/azureml-app/azureml-models/regression/3"
    assert seen["cwd"] == seen["AML_APP_ROOT"] == "/var/azureml-app"
    assert runs(running, "cat", f"{seen['AZUREML_MODEL_DIR']}/model.pkl") == (0, "weights")


def test_a_model_can_be_mounted_elsewhere(target: Target, harness: DockerHarness):
    harness.template = replace(harness.template, model_mount_path="/models")
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    assert runs(container_of(harness), "cat", "/models/regression/3/model.pkl") == (0, "weights")


def test_a_network_belongs_to_one_endpoint_and_goes_with_it(target: Target, harness: DockerHarness, running: Any):
    (name,) = running.attrs["NetworkSettings"]["Networks"]
    assert name.endswith("-sample")
    target.backend.remove(BLUE)
    assert harness.backend.client.networks.list(names=[name]) == []


def test_an_engine_out_of_address_ranges_gets_one_of_ours(harness: DockerHarness, monkeypatch: pytest.MonkeyPatch):
    client, studio = harness.backend.client, uuid.uuid4().hex[:12]
    ours = Networks(client, studio, pool="10.232.0.0/23")
    create, words = client.networks.create, "could not find an available, non-overlapping IPv4 address pool"

    def refuse_to_choose(name: str, **options: Any) -> Any:
        if "ipam" not in options:
            raise docker.errors.APIError(words, explanation=words)
        return create(name, **options)

    networks = client.networks
    monkeypatch.setattr(networks, "create", refuse_to_choose)
    monkeypatch.setattr(docker.DockerClient, "networks", networks)
    try:
        names = [ours.ensure(endpoint, has_egress=True) for endpoint in ("one", "two")]
        subnets = [networks.list(names=[name])[0].attrs["IPAM"]["Config"][0]["Subnet"] for name in names]
        assert subnets == ["10.232.0.0/24", "10.232.1.0/24"]
        with pytest.raises(docker.errors.APIError, match="non-overlapping"):
            ours.ensure("three", has_egress=True)
    finally:
        ours.remove_idle()
    assert networks.list(filters={"label": f"slipway.studio={studio}"}) == []


def test_without_egress_a_container_reaches_nothing_but_is_reached(target: Target, harness: DockerHarness):
    harness.template = replace(harness.template, has_egress=False)
    target.start("blue-1")
    instance = target.until(is_all(Phase.RUNNING))["blue-1"]
    with urllib.request.urlopen(f"http://{instance.host}:{instance.port}/") as answer:
        assert answer.status == 200
    (name,) = container_of(harness).attrs["NetworkSettings"]["Networks"]
    assert harness.backend.client.networks.get(name).attrs["Internal"] is True


def test_no_way_leads_from_a_closed_network_to_the_world_or_to_what_the_host_offers_to_itself(
    target: Target, harness: DockerHarness
):
    harness.template = replace(harness.template, has_egress=False)
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    with socket.create_server(("127.0.0.1", 0)) as studio:
        (network,) = container_of(harness).attrs["NetworkSettings"]["Networks"].values()
        port = studio.getsockname()[1]
        config = harness.backend.client.networks.get(network["NetworkID"]).attrs["IPAM"]["Config"][0]
        gateway = config.get("Gateway") or str(next(ip_network(config["Subnet"]).hosts()))
        places = [(gateway, port), ("127.0.0.1", port), ("1.1.1.1", 53), ("169.254.169.254", 80)]
        code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1)"
        for host, port in places:
            assert runs(container_of(harness), "python3", "-c", code, host, str(port))[0] != 0, host


def test_endpoints_do_not_reach_each_other(target: Target, running: Any, home_of_another: Target):
    home_of_another.start("blue-1")
    other = home_of_another.until(is_all(Phase.RUNNING))["blue-1"]
    code = f"import socket; socket.create_connection(('{other.host}', {other.port}), timeout=1)"
    assert runs(running, "python3", "-c", code)[0] != 0


# Ends


def test_too_much_memory_is_told_apart_from_a_crash(target: Target, harness: DockerHarness):
    harness.template = replace(harness.template, memory_bytes=48 * 1024**2)
    target.start("blue-1", behaviour="eats")
    instance = target.until(is_all(Phase.EXITED))["blue-1"]
    assert instance.failure is not None
    assert (instance.failure.code, instance.exit_code) == ("PodOutOfMemory", -9)
    assert "48 MiB" in instance.failure.message


def test_an_environment_without_python_in_it_is_told(target: Target, harness: DockerHarness):
    base = harness.backend.client.images.get("slipway-base:py3.11")
    harness.template = replace(harness.template, runtime=Runtime(key="k", image=str(base.id)))
    target.start("blue-1")
    instance = target.until(is_all(Phase.EXITED))["blue-1"]
    assert instance.failure is not None
    assert "/opt/slipway/env/bin/python" in instance.failure.message


def test_an_image_that_is_gone_is_a_permanent_failure(target: Target, harness: DockerHarness):
    template = replace(harness.template, runtime=Runtime(key="k", image="sha256:" + "0" * 64))
    with pytest.raises(Permanent) as caught:
        target.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", template),)))
    assert caught.value.failure.code == "ResourceNotFound"


def test_an_environment_built_for_processes_is_refused(target: Target, harness: DockerHarness):
    template = replace(harness.template, runtime=Runtime(key="k", python=Path("/usr/bin/python3")))
    with pytest.raises(Permanent, match="has no image"):
        target.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", template),)))


def test_a_container_removed_by_hand_is_not_there_any_more(target: Target, running: Any):
    running.remove(force=True)
    assert target.observed() == {}
    target.stop("blue-1")
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))


def test_a_start_cut_short_between_create_and_start_is_taken_up(target: Target, harness: DockerHarness):
    target.backend.stage(BLUE, target.template())
    harness.backend._create(BLUE, StartInstance("blue-1", target.template()))
    assert container_of(harness).status == "created"
    assert (target.observed(), target.backend.observe_many([BLUE])) == ({}, {BLUE: ()})  # so that it is started again
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))


def test_an_engine_that_is_away_is_a_temporary_failure(tmp_path: Path):
    away = docker.DockerClient(base_url=f"unix://{tmp_path}/none.sock", version="1.41", timeout=1)
    with pytest.raises(Temporary, match="does not answer"):
        DockerBackend(Home(tmp_path), client=away).observe(BLUE)


# What is ours and what is not


def test_garbage_of_ours_goes_and_strangers_stay(target: Target, harness: DockerHarness, home_of_another: Target):
    home_of_another.start("blue-1")
    home_of_another.until(is_all(Phase.RUNNING))
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    shutil.rmtree(harness.backend._root(BLUE))
    target.backend.collect_garbage(grace_s=0)
    assert target.observed() == {}
    assert list(home_of_another.observed()) == ["blue-1"]


@pytest.fixture
def home_of_another(tmp_path: Path) -> Iterator[Target]:
    """A second studio on the same engine."""
    (tmp_path / "another").mkdir()
    yield from closing(Target(DockerHarness(tmp_path / "another")))


def test_the_engine_that_tests_use_is_the_one_the_backend_finds(tmp_path: Path):
    used = engine().version()["ApiVersion"]
    assert DockerBackend(Home(tmp_path)).client.version()["ApiVersion"] == used
