"""An engine with troubles, and what becomes of deployments: real containers on an engine of this module's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command

from endpoints.backends import registry
from endpoints.backends.base import DeploymentRef
from endpoints.backends.docker import DockerBackend
from endpoints.control import observe, probing, waking
from endpoints.control.clock import SYSTEM_CLOCK
from endpoints.control.reconcile import reconcile
from endpoints.control.sweep import sweep
from endpoints.environments import EnvironmentSpec
from endpoints.environments.image_builder import ImageBuilder
from endpoints.models import EnvironmentBuild, InstanceType, OnlineDeployment
from endpoints.spec.home import Home
from tests.backends.contract.harness import BASE_IMAGE, TINY_SERVER
from tests.backends.own_engine import OwnEngine, own_engine
from tests.control.conftest import Studio, failure_of

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PATIENCE_S = 90


@pytest.fixture(scope="module")
def own() -> Iterator[OwnEngine]:
    with own_engine() as found:
        yield found


@pytest.fixture
def house(studio: Studio, own: OwnEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A studio whose containers run on the engine of one's own, and are really probed."""
    monkeypatch.setenv("DOCKER_HOST", own.host)
    home = Home(studio.home)
    backend = DockerBackend(home, server_package=TINY_SERVER, remove_grace_s=1.0)
    monkeypatch.setitem(registry._MAKERS, "docker", lambda _: backend)
    monkeypatch.setattr(observe, "ask_all", probing.ask_all)
    InstanceType.objects.update_or_create(name="Tiny", defaults={"family": "f", "cores": 1, "memory_gib": 0.125})
    yield studio
    for row in OnlineDeployment.objects.filter(backend="docker").select_related("endpoint"):
        DockerBackend(home, remove_grace_s=0.5).remove(DeploymentRef(row.endpoint.name, row.name))


def in_containers(house: Studio, own: OwnEngine, name: str = "blue", **spec: Any) -> OnlineDeployment:
    """A deployment of the tiny server, its environment built."""
    built = ImageBuilder(Home(house.home), client=own.client).build(EnvironmentSpec(image=BASE_IMAGE))
    version = house.environment(is_built=False)
    EnvironmentBuild.objects.create(
        key=version.build_key, target="docker", state="Succeeded", result={"image": built.image}
    )
    deployment = house.deployment(name, environment=version, instance_type="Tiny", **spec)
    OnlineDeployment.objects.filter(pk=deployment.pk).update(backend="docker", instance_type="Tiny")
    deployment.revisions.update(code_digest="")  # the tiny server has none
    return deployment


def until(deployment: OnlineDeployment, is_reached: Callable[[OnlineDeployment], bool]) -> OnlineDeployment:
    """Turn after turn in real time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        reconcile(deployment.pk, clock=SYSTEM_CLOCK)
        row = OnlineDeployment.objects.select_related("endpoint").get(pk=deployment.pk)
        if is_reached(row):
            return row
        assert time.monotonic() < deadline, (row.provisioning_state, row.failure, list(row.instances.values()))
        time.sleep(0.1)


def has_succeeded(row: OnlineDeployment) -> bool:
    return row.provisioning_state == "Succeeded" and row.ready_instances == row.instance_count


def note_of(house: Studio, deployment: OnlineDeployment) -> str:
    """What the running step of the newest operation says."""
    return " ".join(detail for _, detail in house.steps(house.newest_operation(deployment)).values())


def test_while_the_engine_hangs_others_are_looked_after_and_containers_stay(house: Studio, own: OwnEngine, capsys):
    blue = until(in_containers(house, own), has_succeeded)
    green = house.reconcile(house.deployment("green"))
    house.target.crash(DeploymentRef("house", "green"), house.instances(green)[0].pk)
    with own.hung():
        house.woken.clear()
        sweep(clock=house.clock)
        assert [arguments for task, *arguments in house.woken if task == waking.RECONCILE_DEPLOYMENT] == [[green.pk]]
        reconcile(blue.pk, clock=SYSTEM_CLOCK)
        assert house.instances(blue)[0].state == "Ready"
        with pytest.raises(SystemExit):
            call_command("doctor")
        assert "The Docker engine does not answer" in capsys.readouterr().out
    assert has_succeeded(until(blue, has_succeeded))


def test_after_a_restart_of_the_engine_its_containers_are_replaced(house: Studio, own: OwnEngine):
    blue = until(in_containers(house, own), has_succeeded)
    own.stop()
    own.start()
    until(blue, lambda row: [each.state for each in house.instances(row)] == ["Failed", "Ready"])


def test_a_change_made_while_the_engine_is_gone_waits_and_says_so_and_goes_on_by_itself(house: Studio, own: OwnEngine):
    blue = until(in_containers(house, own), has_succeeded)
    own.stop()
    house.change(blue, instance_count=2)
    until(blue, lambda row: "waiting: The Docker engine does not answer" in note_of(house, row))
    assert OnlineDeployment.objects.get(pk=blue.pk).provisioning_state == "Scaling"
    own.start()
    until(blue, has_succeeded)


def test_a_container_somebody_removed_is_replaced(house: Studio, own: OwnEngine):
    blue = until(in_containers(house, own), has_succeeded)
    (container,) = own.client.containers.list(filters={"label": "slipway.deployment=blue"})
    container.remove(force=True)
    until(blue, lambda row: [each.state for each in house.instances(row)] == ["Failed", "Ready"])
    assert "somebody removed it" in house.instances(blue)[0].reason


def test_a_full_disk_is_waited_out_and_told(house: Studio, own: OwnEngine):
    blue = in_containers(house, own)
    with own.full_disk():
        until(blue, lambda row: "disk of the Docker engine is full" in note_of(house, row))
        assert OnlineDeployment.objects.get(pk=blue.pk).provisioning_state == "Creating"
    until(blue, has_succeeded)


# What ends an instance, told apart


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("eats", "PodOutOfMemory", "more memory than its instance type has (128 MiB)"),
        ("exits", "DeploymentCrashLoopBackOff", "exited with code 7"),
        ("sick", "ResourceNotReady", "Its last probe failed: HTTP status 500"),
        ("init-fails", "UserScriptInitFailed", "init()"),
    ],
)
def test_ends_are_told_apart_by_their_codes(house: Studio, own: OwnEngine, behaviour: str, code: str, words: str):
    quick = {"initial_delay": 1, "period": 1, "failure_threshold": 2}
    spec: dict[str, Any] = {"liveness_probe": quick, "readiness_probe": quick} if behaviour == "sick" else {}
    blue = in_containers(house, own, environment_variables={"BEHAVIOUR": behaviour}, **spec)
    failed = until(blue, lambda row: row.provisioning_state == "Failed")
    failure = failure_of(failed)
    assert (failure["code"], words in failure["message"]) == (code, True), failure
