"""Which Python interpreter an environment gets: an installed one that fits, one that uv fetches, or the nearest.

Whatever is used instead of what was asked for comes with a warning in words; it is never silent.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

_LIST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, order=True)
class Interpreter:
    version: Version
    path: Path


@dataclass(frozen=True, slots=True)
class Choice:
    """The interpreter to build with. warning: "" when it is what was asked for."""

    interpreter: Interpreter
    warning: str = ""


def installed(uv: Path, environ: Mapping[str, str]) -> list[Interpreter]:
    """Every CPython on this host, newest first, one per version: this one, uv's findings, pyenv's."""
    found: dict[Version, Path] = {}
    for interpreter in (running(), *_listed_by_uv(uv, environ), *_kept_by_pyenv(environ)):
        found.setdefault(interpreter.version, interpreter.path)
    return sorted((Interpreter(version, path) for version, path in found.items()), reverse=True)


def choose(
    asked: str,
    *,
    own: Interpreter,
    others: Callable[[], Iterable[Interpreter]],
    fetch: Callable[[str], Interpreter | None],
) -> Choice:
    """The interpreter for the specifier `asked`, "" for any.

    own: the one the studio runs on, taken whenever it fits. others: all on this host, asked for only when needed,
    because finding them takes a second. fetch: given a version such as `3.9`, returns None when it cannot be had.
    """
    if not asked:
        return Choice(own)
    wanted = _relaxed(asked)
    if own.version in wanted:
        return Choice(own)
    candidates = sorted({own, *others()}, reverse=True)
    for interpreter in candidates:
        if interpreter.version in wanted:
            return Choice(interpreter)
    fetched = fetch(_version_to_fetch(wanted))
    if fetched is not None:
        return Choice(fetched, "" if fetched.version in wanted else _warning(asked, fetched))
    nearest = min(candidates, key=lambda item: _distance(item.version, _target(wanted)))
    return Choice(nearest, _warning(asked, nearest))


def fetch_with_uv(uv: Path, version: str, *, environ: Mapping[str, str], timeout_s: float) -> Interpreter | None:
    """Let uv install `version`; None when it may not or cannot (offline, mirror without it)."""
    try:
        _run([uv, "python", "install", "--no-bin", version], environ, timeout_s)
        path = _run([uv, "python", "find", "--managed-python", version], environ, _LIST_TIMEOUT_S).strip()
        output = _run([path, "-c", "import platform; print(platform.python_version())"], environ, _LIST_TIMEOUT_S)
        return Interpreter(Version(output.strip()), Path(path))
    except (subprocess.SubprocessError, OSError, InvalidVersion):
        return None


def _run(command: list[str | Path], environ: Mapping[str, str], timeout_s: float) -> str:
    done = subprocess.run(
        command, env=dict(environ), capture_output=True, text=True, timeout=timeout_s, check=True, cwd="/"
    )
    return done.stdout


# Where interpreters are ----------------------------------------------------------------------------------------


def running() -> Interpreter:
    """The interpreter below the studio's own virtual environment."""
    executable = Path(getattr(sys, "_base_executable", "") or sys.executable)
    version = ".".join(str(part) for part in sys.version_info[:3])
    bindir = Path(sysconfig.get_config_var("BINDIR") or executable.parent)
    own = bindir / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Interpreter(Version(version), own if own.exists() else executable)


def _listed_by_uv(uv: Path, environ: Mapping[str, str]) -> Iterator[Interpreter]:
    command: list[str | Path] = [uv, "python", "list", "--only-installed", "--offline", "--output-format", "json"]
    try:
        listed = json.loads(_run(command, environ, _LIST_TIMEOUT_S))
    except (subprocess.SubprocessError, OSError, ValueError):
        return
    for item in listed:
        if item.get("implementation") == "cpython" and item.get("variant", "default") == "default" and item.get("path"):
            version = _version(item["version"])
            if version is not None:
                yield Interpreter(version, Path(item["path"]))


def _kept_by_pyenv(environ: Mapping[str, str]) -> Iterator[Interpreter]:
    """pyenv's versions; its shims only answer for the one that is selected."""
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    for folder in root.glob("versions/*"):
        version = _version(folder.name)
        if version is not None and os.access(folder / "bin" / "python", os.X_OK):
            yield Interpreter(version, folder / "bin" / "python")


def _version(text: str) -> Version | None:
    """Final releases from 3.7 on: older ones uv cannot install into, previews nobody asks for by range."""
    try:
        version = Version(text)
    except InvalidVersion:
        return None
    return version if version >= Version("3.7") and not version.is_prerelease else None


# What was asked for ----------------------------------------------------------------------------------------------


def _relaxed(asked: str) -> SpecifierSet:
    """`==3.9` means any 3.9, as everybody who writes it intends."""
    return SpecifierSet(re.sub(r"==(\d+\.\d+)(?=,|$)", r"==\1.*", asked))


def _target(wanted: SpecifierSet) -> Version:
    """The version that stands for a range: what it pins, else its lower bound, else its upper."""
    by_operator = {item.operator: Version(item.version.removesuffix(".*")) for item in wanted}
    for operator in ("==", "~=", ">=", ">", "<", "<="):
        if operator in by_operator:
            return by_operator[operator]
    return running().version


def _version_to_fetch(wanted: SpecifierSet) -> str:
    """What to ask uv for: the exact patch when pinned, else the newest minor version in the range."""
    target = _target(wanted)
    if len(target.release) > 2 and any(item.operator == "==" for item in wanted):
        return str(target)
    for minor in range(30, 6, -1):
        if any(Version(f"3.{minor}.{patch}") in wanted for patch in (99, 0)) and minor <= max(target.minor, 13):
            return f"3.{minor}"
    return f"{target.major}.{target.minor}"


def _distance(version: Version, target: Version) -> tuple[int, int, int]:
    """How far from `target`: minor versions first, of two equally far the newer, then the newest patch."""
    return (abs(version.minor - target.minor), -version.minor, -version.micro)


def _warning(asked: str, used: Interpreter) -> str:
    wanted = re.sub(r"^==|\.\*$", "", asked)
    return (
        f"Python {wanted} was asked for but is not installed here and could not be fetched; "
        f"Python {used.version} is used instead. Install Python {wanted} on this host, or ask for an installed version."
    )
