"""What is particular to instances that are processes: their surroundings, their survival, their end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from endpoints.backends.base import Permanent, Phase, Plan, Runtime, StartInstance, StopInstance, Temporary
from endpoints.backends.process import ProcessBackend
from endpoints.backends.process_identity import MARKER, family
from endpoints.spec.home import Home
from tests.backends.contract.harness import BLUE, TINY_SERVER, ProcessHarness, Target, closing

ProcessesOf = Callable[[str], list[psutil.Process]]


@pytest.fixture
def harness(tmp_path: Path) -> ProcessHarness:
    return ProcessHarness(tmp_path)


@pytest.fixture
def target(harness: ProcessHarness) -> Iterator[Target]:
    yield from closing(Target(harness))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def is_all(phase: Phase):
    return lambda found: bool(found) and all(instance.phase is phase for instance in found.values())


def seen_by(target: Target, **variables: str) -> dict[str, str]:
    """What an instance sees of its surroundings."""
    template = replace(target.harness.template, environment_variables=variables)
    target.backend.stage(BLUE, template)
    target.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", template),)))
    instance = target.until(is_all(Phase.RUNNING))["blue-1"]
    with urllib.request.urlopen(f"http://{instance.host}:{instance.port}/") as answer:
        found: dict[str, str] = json.load(answer)
    return found


@pytest.fixture
def processes_of(home: Home) -> Callable[[str], list[psutil.Process]]:
    """All processes of an instance, as its environment marks them."""
    return lambda instance_id: family(home.instance("sample", "blue", instance_id), None)


@pytest.fixture
def servers_of(processes_of: ProcessesOf) -> ProcessesOf:
    """Those among them that are scoring servers, not shims."""
    return lambda instance_id: [
        process
        for process in processes_of(instance_id)
        if "slipway_scoring" in process.cmdline() and process.name() not in {"sh", "dash"}
    ]


# Surroundings


def test_a_script_finds_its_model_and_code_where_the_contract_says(target: Target):
    seen = seen_by(target)
    assert seen["AZUREML_MODEL_DIR"].endswith("rev-1/azureml-models/regression/3")
    assert (Path(seen["AZUREML_MODEL_DIR"]) / "model.pkl").read_bytes() == b"weights"
    assert (Path(seen["AML_APP_ROOT"]) / seen["AZUREML_ENTRY_SCRIPT"]).is_file()
    assert Path(seen["cwd"]) == Path(seen["AML_APP_ROOT"])


def test_the_users_variables_win_but_not_over_the_contracts(target: Target):
    seen = seen_by(target, OMP_NUM_THREADS="7", AZUREML_MODEL_DIR="/elsewhere")
    assert seen["OMP_NUM_THREADS"] == "7"
    assert seen["AZUREML_MODEL_DIR"] != "/elsewhere"


def test_native_threads_follow_the_cores_of_the_instance_type(target: Target, harness: ProcessHarness):
    harness.template = replace(harness.template, cpu_cores=1)
    assert seen_by(target)["OMP_NUM_THREADS"] == "1"


def test_no_secret_of_the_studio_reaches_a_script(target: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLIPWAY_SECRET_KEY", "s3cret")
    assert seen_by(target)["SLIPWAY_SECRET_KEY"] is None


def test_an_instance_has_a_home_and_scratch_of_its_own(target: Target, home: Home):
    assert Path(seen_by(target)["HOME"]).is_relative_to(home.instance("sample", "blue", "blue-1"))


def test_an_image_cannot_run_as_a_process(target: Target, harness: ProcessHarness):
    template = replace(harness.template, runtime=Runtime(key="k", image="sha256:abc"))
    with pytest.raises(Permanent, match="cannot run as a process"):
        target.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", template),)))


# Survival


def test_instances_outlive_the_worker_and_are_found_again(target: Target, home: Home, servers_of: ProcessesOf):
    target.start("blue-1")
    before = target.until(is_all(Phase.RUNNING))
    another_worker = ProcessBackend(home, server_package=TINY_SERVER)
    assert {instance.instance_id: instance for instance in another_worker.observe(BLUE)} == before
    another_worker.apply(Plan(BLUE, start=(StartInstance("blue-1", target.template()),)))
    assert len(servers_of("blue-1")) == 1


def test_a_worker_killed_right_after_the_start_loses_nothing(target: Target, home: Home, tmp_path: Path):
    code = f"""
import os, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from endpoints.backends.base import Plan, StartInstance
from endpoints.backends.process import ProcessBackend
from endpoints.spec.home import Home
from tests.backends.contract.harness import BLUE, TINY_SERVER, ProcessHarness
harness = ProcessHarness(Path({str(tmp_path / "other")!r}))
home, store = Home(Path({str(home.root)!r})), harness.backend._store
harness.backend = ProcessBackend(home, store=store, server_package=TINY_SERVER)
harness.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", harness.template),)))
os.kill(os.getpid(), 9)
"""
    (tmp_path / "other").mkdir()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert target.until(is_all(Phase.RUNNING))["blue-1"].port > 0


def test_workers_that_start_one_instance_at_once_start_one_process(target: Target, servers_of: ProcessesOf):
    plan = Plan(BLUE, start=(StartInstance("blue-1", target.template()),))
    target.backend.stage(BLUE, target.template())
    threads = [threading.Thread(target=target.backend.apply, args=(plan,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    target.until(is_all(Phase.RUNNING))
    assert len(servers_of("blue-1")) == 1


def test_nobody_is_left_a_zombie(target: Target):
    target.start("blue-1", behaviour="exits")
    target.until(is_all(Phase.EXITED))
    target.stop("blue-1")
    own = psutil.Process()
    assert [child for child in own.children() if child.status() == psutil.STATUS_ZOMBIE] == []


# The end


def test_children_that_left_the_session_end_with_their_instance(target: Target, processes_of: ProcessesOf):
    target.start("blue-1", behaviour="breeds")
    target.until(is_all(Phase.RUNNING))
    deadline = time.monotonic() + 10
    while not any(process.name() == "sleep" for process in processes_of("blue-1")):
        assert time.monotonic() < deadline
    target.stop("blue-1")
    target.until(lambda found: not found)
    assert processes_of("blue-1") == []


def test_a_stranger_with_a_recycled_number_is_neither_seen_nor_killed(target: Target, home: Home):
    target.start("blue-1")
    target.harness.end_from_outside(target.until(is_all(Phase.RUNNING))["blue-1"])
    target.until(is_all(Phase.EXITED))
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        pid_file = home.instance("sample", "blue", "blue-1") / "pid"
        _, _, rest = pid_file.read_text().partition(" ")
        fields = rest.split()
        pid_file.write_text(" ".join([str(stranger.pid), *fields[:5], str(stranger.pid), *fields[6:]]) + "\n")
        assert target.observed()["blue-1"].phase is Phase.EXITED
        target.stop("blue-1")
        assert stranger.poll() is None
        stranger.kill()


def test_after_a_restart_of_the_host_old_numbers_mean_nothing(
    target: Target, home: Home, monkeypatch: pytest.MonkeyPatch
):
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    monkeypatch.setattr("endpoints.backends.process_instance.boot_id", lambda: "another boot")
    instance = target.observed()["blue-1"]
    assert (instance.phase, instance.exit_code) == (Phase.EXITED, None)
    assert "the host was restarted" in instance.reason


def test_a_server_that_cannot_even_begin_is_told_with_its_last_words(target: Target, harness: ProcessHarness):
    harness.template = replace(harness.template, runtime=Runtime(key="k", python=Path("/no/such/python")))
    target.start("blue-1")
    instance = target.until(is_all(Phase.EXITED))["blue-1"]
    assert instance.exit_code == 127
    assert instance.failure is not None
    assert "could not start" in instance.failure.message
    assert "/no/such/python" in instance.failure.log_tail[-1]


def test_a_start_that_was_cut_short_is_taken_up(target: Target, home: Home):
    home.instance("sample", "blue", "blue-1").mkdir(parents=True)
    assert target.observed() == {}
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))


def test_a_memory_limit_ends_in_a_memory_error_where_it_is_asked_for(home: Home, harness: ProcessHarness):
    template = replace(harness.template, memory_bytes=64 * 1024 * 1024)
    backend = ProcessBackend(home, server_package=TINY_SERVER, memory_is_limited=True)
    assert backend._memory_kib(template) == 65536
    assert harness.backend._memory_kib(template) is None


def test_removing_leaves_no_process_and_no_file_but_the_log(target: Target, home: Home, processes_of: ProcessesOf):
    target.start("blue-1", "blue-2", behaviour="breeds")
    target.until(is_all(Phase.RUNNING))
    target.backend.remove(BLUE)
    assert processes_of("blue-1") + processes_of("blue-2") == []
    assert list((home.root / "deployments").iterdir()) == []
    assert (home.deployment_logs("sample", "blue") / "blue-1" / "inference-server.jsonl").exists()


def test_a_stop_is_brought_to_its_end_by_whoever_looks_after_the_grace(
    harness: ProcessHarness, home: Home, processes_of: ProcessesOf
):
    now = [datetime(2026, 1, 31, tzinfo=UTC)]
    backend = ProcessBackend(home, server_package=TINY_SERVER, now=lambda: now[0], remove_grace_s=0)
    harness.backend = backend
    target = Target(harness)
    target.start("blue-1", behaviour="deaf")
    target.until(is_all(Phase.RUNNING))
    backend.apply(Plan(BLUE, stop=(StopInstance("blue-1", grace_s=30),)))
    assert target.observed()["blue-1"].phase is Phase.STOPPING
    now[0] += timedelta(seconds=31)
    assert target.observed() == {}
    assert processes_of("blue-1") == []
    backend.remove(BLUE)


# Staging


def test_a_digest_that_is_not_stored_is_a_permanent_failure(target: Target, harness: ProcessHarness):
    with pytest.raises(Permanent) as caught:
        target.backend.stage(BLUE, replace(harness.template, code_digest="a" * 64))
    assert caught.value.failure.code == "ResourceNotFound"
    lines = list(target.backend.logs(BLUE, container="storage-initializer"))
    assert lines[-1].level == "ERROR"


def test_a_full_disk_is_a_temporary_failure(target: Target, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("endpoints.assets.store.clone_or_copy", full)
    with pytest.raises(Temporary, match="disk"):
        target.backend.stage(BLUE, target.template())


def test_revisions_share_one_copy_of_a_model_and_a_spoilt_copy_is_laid_out_anew(target: Target, home: Home):
    target.backend.stage(BLUE, target.template(revision=1))
    target.backend.stage(BLUE, target.template(revision=2))
    models = [home.deployment("sample", "blue") / f"rev-{n}/azureml-models/regression/3/model.pkl" for n in (1, 2, 3)]
    assert models[0].stat().st_ino == models[1].stat().st_ino
    models[0].chmod(0o644)
    models[0].write_bytes(b"spoilt")
    target.backend.stage(BLUE, target.template(revision=3))
    assert models[2].read_bytes() == b"weights"


def test_revisions_nobody_runs_are_removed(target: Target, home: Home):
    target.start("blue-1", revision=1)
    target.start("blue-2", revision=2)
    target.stop("blue-1")
    target.until(lambda found: list(found) == ["blue-2"])
    target.start("blue-3", revision=3)
    assert sorted(path.name for path in home.deployment("sample", "blue").glob("rev-*")) == ["rev-2", "rev-3"]


def test_collecting_removes_copies_nobody_uses(target: Target, home: Home):
    target.start("blue-1")
    target.until(is_all(Phase.RUNNING))
    target.backend.collect_garbage(grace_s=-1)
    assert len(list(home.staged_models.iterdir())) == 2  # the copy and its stamp
    target.backend.remove(BLUE)
    target.backend.collect_garbage(grace_s=-1)
    assert (list(home.staged_models.iterdir()), list(home.servers.iterdir())) == ([], [])


def test_the_marker_is_what_children_are_found_by(tmp_path: Path):
    with subprocess.Popen(["sleep", "60"], env={MARKER: str(tmp_path)}) as child:
        assert [process.pid for process in family(tmp_path, None)] == [child.pid]
        child.kill()
