"""Which modules the gateway imports: the compiled build only while it fits its source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from endpoints.gateway import compile as compiling
from endpoints.gateway import compiled
from endpoints.gateway.compiled import VARIABLE, NotCompiled, digest, search_path, stamp

SOURCE = ["/source"]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compiled, "build_folder", lambda: tmp_path)
    return tmp_path


def test_a_build_of_this_very_source_comes_first(build: Path) -> None:
    stamp(build, digest())
    assert search_path(SOURCE, {}) == [f"{build}/endpoints/gateway", "/source"]


def test_after_an_edit_the_source_runs(build: Path, caplog: pytest.LogCaptureFixture) -> None:
    stamp(build, "of something else")
    assert search_path(SOURCE, {}) == SOURCE
    assert "the source has changed" in caplog.text


def test_a_build_can_be_switched_off(build: Path) -> None:
    stamp(build, digest())
    assert search_path(SOURCE, {VARIABLE: "off"}) == SOURCE


def test_who_requires_a_build_is_told_how_to_make_it(build: Path) -> None:
    with pytest.raises(NotCompiled, match="make compiled"):
        search_path(SOURCE, {VARIABLE: "require"})


@pytest.mark.parametrize("wish", ["off", os.environ.get(VARIABLE, "off")])
def test_the_version_says_how_it_runs(wish: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "endpoints.gateway", "--version"],
        env={**os.environ, VARIABLE: wish},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("slipway gateway ")
    assert done.stdout.endswith(", compiled\n" if wish == "require" else ", interpreted\n")


def test_every_module_that_is_compiled_exists() -> None:
    assert all((compiled.SOURCE / f"{name}.py").is_file() for name in compiled.MODULES)


def test_a_machine_without_a_compiler_is_told_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(compiling, "problem", lambda _: "it has not been built")
    assert compiling.main(["--if-needed", "--if-possible"]) == 0
    assert "no C compiler" in capsys.readouterr().out
    assert compiling.main(["--look"]) == 1
