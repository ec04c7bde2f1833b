"""One build per content: who claims it, who waits, who takes over."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from endpoints.backends.base import Permanent
from endpoints.control import environments, waking
from endpoints.control.environments import STALE_S, build, runtime_of, spec_of, wake_due
from endpoints.control.reconcile import reconcile
from endpoints.environments import BuildCanceled, BuildFailed, BuildResult, EnvironmentSpec
from endpoints.models import EnvironmentBuild, EnvironmentVersion
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode
from tests.control.conftest import Studio, failure_of


def result(*, is_cached: bool = False) -> BuildResult:
    return BuildResult(
        key="k",
        python=Path(sys.executable),
        python_requested="3.10",
        python_used="3.11.7",
        warnings=("Python 3.10 is not on this host.",),
        size_bytes=1000,
        seconds=2.0,
        is_cached=is_cached,
        bases=("local/base:2",),
    )


class Builder:
    """Stands for uv; `outcome` is returned or raised."""

    def __init__(self, outcome: BuildResult | Exception) -> None:
        self.outcome = outcome
        self.built: list[EnvironmentSpec] = []

    def __call__(self, spec, is_cancelled):
        self.built.append(spec)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def version(studio: Studio) -> EnvironmentVersion:
    return studio.environment(is_built=False, requirements="numpy\n")


def test_a_build_is_recorded_with_its_result_and_warnings(studio: Studio, version):
    builder = Builder(result())
    build(version.build_key, clock=studio.clock, builder=builder)
    row = EnvironmentBuild.objects.get()
    assert builder.built == [spec_of(version)]
    assert (row.state, row.python_used, row.size_bytes) == ("Succeeded", "3.11.7", 1000)
    assert row.warnings == ["Python 3.10 is not on this host."]
    assert row.base_images == ["local/base:2"]
    runtime = runtime_of(version, "process", since=studio.clock.now(), clock=studio.clock)
    assert runtime is not None and runtime.python == Path(sys.executable)


def test_deployments_that_wait_are_woken_when_it_is_built(studio: Studio, version):
    waiting = [studio.deployment(name, environment=version) for name in ("blue", "green")]
    for deployment in waiting:
        reconcile(deployment.pk, clock=studio.clock)
    studio.woken.clear()
    build(version.build_key, clock=studio.clock, builder=Builder(result()))
    assert sorted(studio.woken) == [(waking.RECONCILE_DEPLOYMENT, each.pk) for each in waiting]


def test_the_environments_warnings_are_the_deployments(studio: Studio, version):
    build(version.build_key, clock=studio.clock, builder=Builder(result()))
    assert studio.reconcile(studio.deployment(environment=version)).warnings == ["Python 3.10 is not on this host."]


def test_a_build_under_way_is_not_begun_twice(studio: Studio, version):
    EnvironmentBuild.objects.create(key=version.build_key, state="Building", heartbeat_at=studio.clock.now())
    builder = Builder(result())
    build(version.build_key, clock=studio.clock, builder=builder)
    assert builder.built == []


def test_a_build_whose_builder_died_is_taken_over(studio: Studio, version):
    EnvironmentBuild.objects.create(key=version.build_key, state="Building", heartbeat_at=studio.clock.now())
    studio.clock.sleep(STALE_S + 1)
    wake_due(clock=studio.clock)
    assert studio.woken == [(waking.BUILD_ENVIRONMENT, version.build_key, "process")]
    build(version.build_key, clock=studio.clock, builder=Builder(result()))
    assert EnvironmentBuild.objects.get().state == "Succeeded"


def test_a_failed_build_is_the_failure_of_whoever_waited(studio: Studio, version):
    failure = Failure(code=FailureCode.IMAGE_BUILD_FAILURE, message="No such package", log_tail=("no solution found",))
    since = studio.clock.now() - timedelta(seconds=1)
    build(version.build_key, clock=studio.clock, builder=Builder(BuildFailed(failure)))
    with pytest.raises(Permanent) as raised:
        runtime_of(version, "process", since=since, clock=studio.clock)
    assert raised.value.failure == failure


def test_an_unexpected_error_is_logged_with_the_id_the_person_gets(studio: Studio, version, caplog):
    build(version.build_key, clock=studio.clock, builder=Builder(ZeroDivisionError("boom")))
    failure = failure_of(EnvironmentBuild.objects.get())
    failure_id = failure["message"].split("(")[1].split(")")[0]
    assert failure["code"] == "InternalServerError"
    assert failure_id in caplog.text and "boom" in caplog.text


def test_a_canceled_build_is_canceled(studio: Studio, version):
    build(version.build_key, clock=studio.clock, builder=Builder(BuildCanceled()))
    assert EnvironmentBuild.objects.get().state == "Canceled"


def test_a_built_environment_whose_files_are_gone_is_built_again(studio: Studio, version):
    EnvironmentBuild.objects.create(key=version.build_key, state="Succeeded", result={"python": "/gone/python"})
    assert runtime_of(version, "process", since=studio.clock.now(), clock=studio.clock) is None
    assert EnvironmentBuild.objects.get().state == "Queued"


def test_with_all_slots_taken_a_build_stays_queued(studio: Studio, version, monkeypatch):
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setitem(environments._slots, "process", taken)
    EnvironmentBuild.objects.create(key=version.build_key)
    builder = Builder(result())
    build(version.build_key, clock=studio.clock, builder=builder)
    assert (builder.built, EnvironmentBuild.objects.get().state) == ([], "Queued")


def test_a_key_nobody_registered_is_not_built(studio: Studio):
    builder = Builder(result())
    build("f" * 64, clock=studio.clock, builder=builder)
    assert builder.built == []
