"""Several workers, each with processes of its own: a deployment has one host, and a dead host's go to another."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from endpoints import tasks
from endpoints.backends.process_identity import MARKER
from endpoints.control import hosts, waking
from endpoints.control.sweep import glance, sweep
from endpoints.models import OnlineDeployment, WorkerHost
from endpoints.spec.home import Home
from endpoints.spec.host import host_name, instance_address
from tests.control.conftest import Studio


@pytest.fixture
def one(studio: Studio, settings: Any) -> Studio:
    """A studio seen from the host `one`; `two` lives too."""
    settings.SLIPWAY_HOST = "one"
    for name in ("one", "two"):
        WorkerHost.objects.create(pk=name, seen_at=studio.clock.now())
    return studio


def processes(studio: Studio, name: str, *, host: str = "", count: int = 1) -> OnlineDeployment:
    deployment = studio.deployment(name, count=count)
    OnlineDeployment.objects.filter(pk=deployment.pk).update(backend="process", host=host)
    return deployment


def place(studio: Studio, deployment: OnlineDeployment) -> str:
    return hosts.place_of(deployment.pk, clock=studio.clock)


def test_with_one_host_nothing_is_placed(studio: Studio):
    assert place(studio, processes(studio, "blue")) == ""
    assert OnlineDeployment.objects.get().host == ""


def test_a_new_deployment_goes_to_the_host_with_the_fewest_instances_and_stays(one: Studio):
    processes(one, "blue", host="one", count=3)
    green = processes(one, "green")
    assert [place(one, green), OnlineDeployment.objects.get(name="green").host] == ["two", "two"]
    processes(one, "red", host="two", count=9)
    assert place(one, green) == "two"


def test_containers_belong_to_no_host(one: Studio):
    blue = processes(one, "blue")
    OnlineDeployment.objects.update(backend="docker")
    assert place(one, blue) == ""


def test_a_deployment_of_a_host_that_fell_silent_is_found_and_placed_anew(one: Studio):
    blue = processes(one, "blue", host="two")
    OnlineDeployment.objects.update(observed_generation=1)
    WorkerHost.objects.filter(pk="one").update(seen_at=one.clock.now() + timedelta(hours=1))
    one.clock.sleep(hosts.GONE_AFTER.total_seconds() + 1)
    sweep(clock=one.clock)
    assert (waking.RECONCILE_DEPLOYMENT, blue.pk) in one.woken
    assert place(one, blue) == "one"


def test_a_host_that_leaves_is_not_waited_for(one: Studio, settings: Any):
    blue = processes(one, "blue", host="two")
    settings.SLIPWAY_HOST = "two"
    hosts.leave()
    settings.SLIPWAY_HOST = "one"
    assert place(one, blue) == "one"


def test_a_host_hears_that_it_was_given_up(one: Studio):
    assert not hosts.say_here(clock=one.clock)
    one.clock.sleep(hosts.GONE_AFTER.total_seconds() + 1)
    assert hosts.say_here(clock=one.clock)
    assert hosts.living(one.clock) == ["one"]


def test_a_glance_is_at_ones_own_deployments(one: Studio, monkeypatch: pytest.MonkeyPatch):
    for name, host in (("blue", "one"), ("green", "two")):
        processes(one, name, host=host)
    OnlineDeployment.objects.update(observed_generation=1, observed_revision=1, next_look_at=None)
    names = OnlineDeployment.objects.filter(pk__in=glance(clock=one.clock)).values_list("name", flat=True)
    assert list(names) == ["blue"]  # it should run and does not


def test_work_for_another_host_is_handed_to_it(one: Studio, monkeypatch: pytest.MonkeyPatch):
    sent: list[tuple[object, ...]] = []
    monkeypatch.setattr(waking, "wake", lambda task, *args, host="", **_: sent.append((task, *args, host)))
    green = processes(one, "green", host="two")
    tasks.reconcile_deployment(green.pk)
    assert sent == [(waking.RECONCILE_DEPLOYMENT, green.pk, "two")]
    tasks.sweep_all()
    assert (waking.GLANCE, "two") in sent


def test_processes_of_deployments_that_another_host_has_are_ended_and_ones_own_spared(one: Studio):
    running = {}
    for name, host in (("blue", "one"), ("green", "two")):
        processes(one, name, host=host)
        folder = Home(one.home).instance("house", name, f"{name}-1")
        folder.mkdir(parents=True)
        environ = {"PATH": "/usr/bin:/bin", MARKER: str(folder)}
        running[name] = subprocess.Popen([sys.executable, "-c", "input()"], env=environ, stdin=subprocess.PIPE)
    try:
        assert hosts.end_strays() == 1
        assert running["green"].wait(10) == -9
        assert running["blue"].poll() is None
    finally:
        running["blue"].kill()
        running["blue"].wait()


def test_a_host_is_named_by_its_setting_or_by_itself(tmp_path: Path):
    assert [host_name({}), host_name({"SLIPWAY_HOST": "a"})] == ["", "a"]
    assert host_name({"SLIPWAY_HOST": "auto"})
    assert instance_address({}) == "127.0.0.1"
    assert instance_address({"SLIPWAY_HOST": "a", "SLIPWAY_INSTANCE_ADDRESS": "10.0.0.7"}) == "10.0.0.7"
