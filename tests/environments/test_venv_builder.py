"""Virtual environments, really built with uv from packages in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoints.environments import BuildCanceled, BuildFailed, EnvironmentSpec, VenvBuilder, build_key
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogLine, read
from tests.environments.conftest import make_wheel


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def builder(home: Home, environ: dict[str, str]) -> VenvBuilder:
    return VenvBuilder(home, environ=environ, allow_fetch=False)


def offline(wheels: Path, *requirements: str) -> EnvironmentSpec:
    return EnvironmentSpec(requirements="\n".join(["--no-index", f"--find-links {wheels.as_uri()}", *requirements]))


def says(python: Path | None, code: str) -> str:
    assert python is not None
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def slow_uv(folder: Path, *, seconds: float) -> Path:
    """A uv that says it has begun and then takes its time."""
    uv = folder / "slow-uv"
    uv.write_text(f"#!/bin/sh\ncase $1 in python) exit 1;; esac\necho begun\nsleep {seconds}\n")
    uv.chmod(0o755)
    return uv


def when_begun(event: threading.Event) -> Callable[[LogLine], None]:
    """A log that sets `event` when the slow uv has begun."""
    return lambda line: event.set() if line.message == "begun" else None


def test_what_is_asked_for_can_be_imported(builder: VenvBuilder, wheels: Path):
    result = builder.build(offline(wheels, "greeting==1.0"))
    assert says(result.python, "import greeting; print(greeting.VERSION)") == "1.0"
    assert (result.is_cached, result.warnings) == (False, ())
    assert result.size_bytes > 0
    assert result.python_used == ".".join(map(str, sys.version_info[:3]))


def test_a_second_build_does_nothing(builder: VenvBuilder, home: Home, environ: dict[str, str], wheels: Path):
    first = builder.build(offline(wheels, "greeting"))
    idle = VenvBuilder(home, environ=environ, uv=Path("/bin/false"))
    lines: list[LogLine] = []
    second = idle.build(offline(wheels, "Greeting"), log=lines.append)
    assert (second.python, second.is_cached, lines) == (first.python, True, [])


def test_the_log_is_streamed_and_kept(builder: VenvBuilder, wheels: Path):
    lines: list[LogLine] = []
    result = builder.build(offline(wheels, "greeting==1.0"), log=lines.append)
    kept = list(read(builder.log_file(result.key)))
    assert [line.message for line in lines] == [line.message for line in kept]
    assert any("+ greeting==1.0" in line.message for line in kept)


def test_no_password_reaches_the_log(builder: VenvBuilder, wheels: Path):
    spec = offline(wheels, "greeting", "--extra-index-url https://user:secret@index.example/simple")
    result = builder.build(spec)
    assert "secret" not in builder.log_file(result.key).read_text()


def test_conda_packages_are_installed_from_the_package_index_and_the_log_says_so(builder: VenvBuilder, wheels: Path):
    pip = ["--no-index", f"--find-links {wheels.as_uri()}"]
    lines: list[LogLine] = []
    spec = EnvironmentSpec(conda={"dependencies": ["greeting=1", "nomkl", {"pip": pip}]})
    result = builder.build(spec, log=lines.append)
    assert says(result.python, "import greeting; print(greeting.VERSION)") == "1.0"
    assert any("taken from the Python package index: greeting==1.*" in line.message for line in lines)


def test_an_image_alone_gives_a_bare_environment_and_a_warning(builder: VenvBuilder):
    result = builder.build(EnvironmentSpec(image="mcr.example/azureml/base:1"))
    assert says(result.python, "print('runs')") == "runs"
    assert "mcr.example/azureml/base:1 is not used where instances run as processes" in result.warnings[0]


def test_a_build_context_alone_gives_a_bare_environment_and_a_warning(builder: VenvBuilder):
    assert "build context is not used" in builder.build(EnvironmentSpec(context_digest="a" * 64)).warnings[0]


def test_another_python_than_asked_for_is_a_warning_in_log_and_result(builder: VenvBuilder):
    lines: list[LogLine] = []
    result = builder.build(EnvironmentSpec(conda={"dependencies": ["python=3.99"]}), log=lines.append)
    assert result.python_requested == "3.99"
    assert "Python 3.99 was asked for" in result.warnings[0]
    assert [line.message for line in lines if line.level == "WARNING"] == list(result.warnings)


@pytest.mark.parametrize(
    ("requirements", "cause"),
    [
        (["no-such-package"], "There is no package 'no-such-package'"),
        (["greeting==9"], "There is no greeting in a version that fits ==9"),
        (["polite", "greeting==2.0"], "cannot be installed together"),
    ],
)
def test_what_cannot_be_satisfied_fails_with_its_cause(
    builder: VenvBuilder, wheels: Path, requirements: list[str], cause: str
):
    spec = offline(wheels, *requirements)
    with pytest.raises(BuildFailed) as caught:
        builder.build(spec)
    failure = caught.value.failure
    assert cause in failure.message
    assert failure.code == "ImageBuildFailure"
    assert failure.advice and failure.log_tail
    assert builder.find(spec) is None
    assert list(read(builder.log_file(build_key(spec))))[-2].message == failure.message


def test_a_failed_build_is_tried_again(builder: VenvBuilder, wheels: Path):
    spec = offline(wheels, "greeting==9")
    with pytest.raises(BuildFailed):
        builder.build(spec)
    (wheels / "greeting-2.0-py3-none-any.whl").unlink()
    make_wheel(wheels, "greeting", "9")
    assert says(builder.build(spec).python, "import greeting; print(greeting.VERSION)") == "9"


def test_builders_of_one_content_wait_for_one(builder: VenvBuilder, wheels: Path):
    results: list[bool] = []
    spec = offline(wheels, "greeting")
    threads = [threading.Thread(target=lambda: results.append(builder.build(spec).is_cached)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True, True, True]


def test_a_build_can_be_cancelled_and_leaves_nothing_that_looks_finished(
    home: Home, environ: dict[str, str], tmp_path: Path
):
    begun = threading.Event()
    builder = VenvBuilder(home, environ=environ, uv=slow_uv(tmp_path, seconds=60), allow_fetch=False)
    spec = EnvironmentSpec(image="x")
    with pytest.raises(BuildCanceled):
        builder.build(spec, log=when_begun(begun), is_cancelled=begun.is_set)
    assert builder.find(spec) is None
    assert list(read(builder.log_file(build_key(spec))))[-1].message == "The build was canceled."


def test_waiting_for_another_build_can_be_cancelled(home: Home, environ: dict[str, str], tmp_path: Path):
    begun, stop = threading.Event(), threading.Event()
    builder = VenvBuilder(home, environ=environ, uv=slow_uv(tmp_path, seconds=60), allow_fetch=False)
    spec = EnvironmentSpec(image="x")

    def first() -> None:
        with pytest.raises(BuildCanceled):
            builder.build(spec, log=when_begun(begun), is_cancelled=stop.is_set)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(20)
    with pytest.raises(BuildCanceled):
        builder.build(spec, is_cancelled=lambda: True)
    stop.set()
    thread.join()


def test_a_builder_killed_in_the_middle_is_taken_over(home: Home, environ: dict[str, str], tmp_path: Path):
    code = """
import pathlib, sys
from endpoints.environments import EnvironmentSpec, VenvBuilder
from endpoints.spec.home import Home
builder = VenvBuilder(Home(pathlib.Path(sys.argv[1])), uv=pathlib.Path(sys.argv[2]), allow_fetch=False)
builder.build(EnvironmentSpec(image="x"), log=lambda line: print(line.message, flush=True))
"""
    uv = slow_uv(tmp_path, seconds=1)
    command = [sys.executable, "-c", code, str(home.root), str(uv)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        while killed.stdout.readline().strip() != "begun":
            pass
        os.kill(killed.pid, signal.SIGKILL)
    builder, spec = VenvBuilder(home, environ=environ, allow_fetch=False), EnvironmentSpec(image="x")
    assert builder.find(spec) is None
    began = time.monotonic()
    assert says(builder.build(spec).python, "print('whole')") == "whole"
    assert time.monotonic() - began > 0.3  # it waited for the orphan to leave the folder


def test_an_environment_whose_interpreter_is_gone_is_built_anew(builder: VenvBuilder):
    spec = EnvironmentSpec(image="x")
    python = builder.build(spec).python
    assert python is not None
    python.unlink()
    python.symlink_to("/no/such/python")
    assert builder.find(spec) is None
    assert not builder.build(spec).is_cached


def test_builds_are_listed_with_their_last_use_and_removed(builder: VenvBuilder, home: Home):
    spec = EnvironmentSpec(image="x")
    key = builder.build(spec).key
    os.utime(builder.folder(key) / "last-used", (1, 1))
    builder.build(spec)
    (stored,) = builder.stored()
    assert (stored.key, stored.last_used_at.year >= 2025) == (key, True)
    builder.remove(key)
    builder.remove(key)
    assert (list(builder.stored()), list(home.environments.iterdir())) == ([], [])
