"""Which interpreter an environment gets."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from packaging.version import Version

from endpoints.environments.python_versions import Interpreter, choose, installed

VERSIONS = ("3.8.18", "3.9.18", "3.11.2", "3.11.7", "3.13.0")


def interpreter(version: str) -> Interpreter:
    return Interpreter(Version(version), Path(f"/python/{version}"))


def chosen(asked: str, *, own: str = "3.11.7", fetched: str = "") -> tuple[str, bool]:
    """The version that is used, and whether a warning says it is another than asked for."""
    choice = choose(
        asked,
        own=interpreter(own),
        others=lambda: [interpreter(version) for version in VERSIONS],
        fetch=lambda _: interpreter(fetched) if fetched else None,
    )
    return str(choice.interpreter.version), bool(choice.warning)


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("==3.11.*", "3.11.7"),
        ("==3.11", "3.11.7"),
        ("==3.11.2", "3.11.2"),
        (">=3.8", "3.11.7"),
        (">=3.12", "3.13.0"),
        ("<3.11,>=3.8", "3.9.18"),
    ],
)
def test_the_studios_own_or_else_the_newest_that_fits_is_used(asked: str, version: str):
    assert chosen(asked) == (version, False)


def test_one_that_is_not_installed_is_fetched():
    assert chosen("==3.12.*", fetched="3.12.4") == ("3.12.4", False)


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("==3.12.*", "3.13.0"),
        ("==3.10.*", "3.11.7"),
        ("==3.7.*", "3.8.18"),
        ("==3.11.4", "3.11.7"),
        (">=3.14", "3.13.0"),
    ],
)
def test_else_the_nearest_is_used_with_a_warning(asked: str, version: str):
    assert chosen(asked) == (version, True)


def test_the_warning_says_what_was_asked_for_and_what_is_used():
    choice = choose("==3.12.*", own=interpreter("3.11.7"), others=list, fetch=lambda _: None)
    assert "Python 3.12 was asked for" in choice.warning
    assert "Python 3.11.7 is used instead" in choice.warning


def test_without_a_wish_the_studios_own_is_used_and_nothing_is_searched_for():
    def search() -> list[Interpreter]:
        raise AssertionError("searched")

    choice = choose("", own=interpreter("3.9.18"), others=search, fetch=lambda _: None)
    assert choice.interpreter == interpreter("3.9.18")


@pytest.mark.parametrize(
    ("asked", "fetched"), [("==3.12.*", "3.12"), ("==3.10.4", "3.10.4"), ("<3.11,>=3.10", "3.10"), ("==3.12", "3.12")]
)
def test_what_is_fetched_is_what_was_asked_for(asked: str, fetched: str):
    asked_for: list[str] = []

    def fetch(version: str) -> None:
        asked_for.append(version)

    choose(asked, own=interpreter("3.9.1"), others=list, fetch=fetch)
    assert asked_for == [fetched]


def test_the_running_interpreter_and_pyenvs_are_found_without_uv(tmp_path: Path):
    python = tmp_path / "versions" / "3.9.18" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    (tmp_path / "versions" / "3.14.0a1" / "bin").mkdir(parents=True)
    found = installed(tmp_path / "no-uv", {"PYENV_ROOT": str(tmp_path)})
    assert Interpreter(Version("3.9.18"), python) in found
    assert Version(platform.python_version()) in {item.version for item in found}
    assert found == sorted(found, reverse=True)
