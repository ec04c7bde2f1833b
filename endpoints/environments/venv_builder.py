"""Environments as virtual environments, built with uv into `<home>/environments/<key>/`, once per content.

A virtual environment knows its own path, so it is built where it will stay; `build.json`, written last and atomically,
is what makes it count. Whoever finds the folder without that file starts over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uv as uv_package

from endpoints.environments.build_lock import build_lock
from endpoints.environments.builds import BuildCanceled, BuildFailed, BuildResult, StoredBuild
from endpoints.environments.package_index import environment_for_uv, without_credentials
from endpoints.environments.python_versions import Choice, Interpreter, choose, fetch_with_uv, installed, running
from endpoints.environments.spec import EnvironmentSpec, Recipe, build_key, recipe_of, shown_version
from endpoints.environments.uv_failures import explain
from endpoints.environments.uv_process import UvCanceled, UvFailed, run_uv
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogLine, LogWriter

_FETCH_TIMEOUT_S = 180.0


def _never() -> bool:
    return False


def _ignore(_: LogLine) -> None:
    pass


class BuildMarker(msgspec.Struct, kw_only=True, frozen=True):
    """The content of build.json."""

    key: str
    python_requested: str
    python_used: str
    warnings: tuple[str, ...]
    size_bytes: int
    seconds: float
    built_at: datetime


class VenvBuilder:
    """Builds, finds and removes virtual environments. Safe among threads and processes.

    environ: of this process, for pip's and uv's settings. allow_fetch: whether uv may download interpreters.
    """

    def __init__(
        self,
        home: Home,
        *,
        environ: Mapping[str, str] | None = None,
        uv: Path | None = None,
        allow_fetch: bool = True,
    ) -> None:
        self._home = home
        self.environ = environment_for_uv(os.environ if environ is None else environ)
        self.environ.setdefault("UV_LINK_MODE", _link_mode(home, self.environ))
        self.uv = uv or Path(uv_package.find_uv_bin())
        self.allow_fetch = allow_fetch

    def folder(self, key: str) -> Path:
        return self._home.environments / key

    def log_file(self, key: str) -> Path:
        """Where the build's JSON lines are, during the build and after it."""
        return self.folder(key) / "build.jsonl"

    def find(self, spec: EnvironmentSpec) -> BuildResult | None:
        """The finished build of `spec`, None when there is none that can still be used."""
        return self._finished(build_key(spec))

    def build(
        self,
        spec: EnvironmentSpec,
        *,
        log: Callable[[LogLine], None] = _ignore,
        is_cancelled: Callable[[], bool] = _never,
    ) -> BuildResult:
        """Build `spec`, or wait for whoever is building it, or return what is there.

        log: given every line as it is written to `log_file(key)`. Raises BuildFailed, BuildCanceled, or Invalid for a
        spec that says nothing buildable.
        """
        key = build_key(spec)
        if found := self._finished(key):
            self._touch(key)
            return found
        with self._lock(key, is_cancelled) as held:
            if found := self._finished(key):
                self._touch(key)
                return found
            return _Build(self, key, spec, log=log, is_cancelled=is_cancelled, held=held).run()

    def stored(self) -> Iterator[StoredBuild]:
        """Every finished build."""
        for marker_file in self._home.environments.glob("*/build.json"):
            if marker := _read(marker_file):
                used = (marker_file.parent / "last-used").stat().st_mtime
                yield StoredBuild(
                    key=marker.key,
                    size_bytes=marker.size_bytes,
                    built_at=marker.built_at,
                    last_used_at=datetime.fromtimestamp(used, UTC),
                )

    def remove(self, key: str) -> None:
        """Remove the build of `key`, log included; waits for a build of it that is under way."""
        with self._lock(key, _never):
            folder = self.folder(key)
            (folder / "build.json").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        self._lock_file(key).unlink(missing_ok=True)

    def finish(self, marker: BuildMarker) -> BuildResult:
        """Make a build count: the marker is written last and whole. For whoever holds the key's lock."""
        self._touch(marker.key)
        _write(self.folder(marker.key) / "build.json", marker)
        return self._result(marker, is_cached=False)

    # What is there ---------------------------------------------------------------------------------------------

    def _finished(self, key: str) -> BuildResult | None:
        marker = _read(self.folder(key) / "build.json")
        # The interpreter below may have been uninstalled since: then the link in the venv leads nowhere.
        if marker is None or not (self.folder(key) / "venv" / "bin" / "python").exists():
            return None
        return self._result(marker, is_cached=True)

    def _result(self, marker: BuildMarker, *, is_cached: bool) -> BuildResult:
        return BuildResult(
            key=marker.key,
            python=self.folder(marker.key) / "venv" / "bin" / "python",
            python_requested=marker.python_requested,
            python_used=marker.python_used,
            warnings=marker.warnings,
            size_bytes=marker.size_bytes,
            seconds=0.0 if is_cached else marker.seconds,
            is_cached=is_cached,
        )

    def _touch(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.folder(key) / "last-used").touch()

    def _lock_file(self, key: str) -> Path:
        return self._home.environments / f"{key}.lock"

    def _lock(self, key: str, is_cancelled: Callable[[], bool]) -> contextlib.AbstractContextManager[int]:
        return build_lock(self._lock_file(key), is_cancelled)


class _Build:
    """One build under way; holds the key's lock."""

    def __init__(
        self,
        builder: VenvBuilder,
        key: str,
        spec: EnvironmentSpec,
        *,
        log: Callable[[LogLine], None],
        is_cancelled: Callable[[], bool],
        held: int,
    ) -> None:
        self._builder, self._key, self._spec = builder, key, spec
        self._folder = builder.folder(key)
        self._venv = self._folder / "venv"
        self._log, self._is_cancelled, self._held = log, is_cancelled, held

    def run(self) -> BuildResult:
        began = time.monotonic()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._writer = LogWriter(self._builder.log_file(self._key), logger="build")
        try:
            recipe = recipe_of(self._spec)
            for note in recipe.notes:
                self._say(note)
            choice = self._choose_python(recipe)
            warnings = _warnings(self._spec, recipe, choice)
            for warning in warnings:
                self._say(warning, level="WARNING")
            self._install(recipe, choice)
        except (BuildFailed, BuildCanceled) as ended:
            self._say_why(ended)
            shutil.rmtree(self._venv, ignore_errors=True)
            raise
        marker = BuildMarker(
            key=self._key,
            python_requested=shown_version(recipe.python),
            python_used=str(choice.interpreter.version),
            warnings=warnings,
            size_bytes=_size_bytes(self._venv),
            seconds=round(time.monotonic() - began, 3),
            built_at=datetime.now(UTC),
        )
        self._say(f"Built in {marker.seconds:.1f} s with Python {marker.python_used}.")
        return self._builder.finish(marker)

    def _say(self, message: str, *, level: str = "INFO") -> None:
        self._log(self._writer.write(without_credentials(message), level=level))

    def _say_why(self, ended: BuildFailed | BuildCanceled) -> None:
        if isinstance(ended, BuildCanceled):
            self._say("The build was canceled.", level="WARNING")
            return
        for sentence in (ended.failure.message, ended.failure.advice):
            if sentence:
                self._say(sentence, level="ERROR")

    def _choose_python(self, recipe: Recipe) -> Choice:
        builder = self._builder
        choice = choose(
            recipe.python,
            own=running(),
            others=lambda: installed(builder.uv, builder.environ),
            fetch=self._fetch,
        )
        self._say(f"Using Python {choice.interpreter.version}.")
        return choice

    def _fetch(self, version: str) -> Interpreter | None:
        if not self._builder.allow_fetch:
            return None
        self._say(f"Python {version} is not installed here; asking uv to fetch it.")
        builder = self._builder
        return fetch_with_uv(builder.uv, version, environ=builder.environ, timeout_s=_FETCH_TIMEOUT_S)

    def _install(self, recipe: Recipe, choice: Choice) -> None:
        version = str(choice.interpreter.version)
        self._uv(
            ["venv", "--quiet", "--python", str(choice.interpreter.path), "--no-project", str(self._venv)], version
        )
        if recipe.is_bare:
            return
        wanted = self._folder / "requirements.txt"
        wanted.touch(mode=0o600)  # an index's password may stand in it
        options = [option for option in recipe.options if option != "--pre"]
        wanted.write_text("\n".join([*options, *recipe.requirements, ""]), encoding="utf-8")
        arguments = ["pip", "install", "--python", str(self._venv / "bin" / "python"), "-r", str(wanted)]
        if "--pre" in recipe.options:
            arguments += ["--prerelease", "allow"]
        self._say(f"Installing {', '.join(recipe.requirements)}")
        self._uv(arguments, version)

    def _uv(self, arguments: list[str], python_version: str) -> None:
        try:
            run_uv(
                self._builder.uv,
                arguments,
                environ=self._builder.environ,
                say=self._say,
                is_cancelled=self._is_cancelled,
                held=self._held,
            )
        except UvCanceled:
            raise BuildCanceled from None
        except UvFailed as failed:
            raise BuildFailed(explain(failed.lines, python_version=python_version)) from None


def _warnings(spec: EnvironmentSpec, recipe: Recipe, choice: Choice) -> tuple[str, ...]:
    warnings = [choice.warning] if choice.warning else []
    if (spec.image or spec.context_digest) and recipe.is_bare:
        unused = f"The image {spec.image}" if spec.image else "The environment's build context"
        warnings.append(
            f"{unused} is not used where instances run as processes: they get a bare Python "
            f"{choice.interpreter.version}. Add a conda file with what the script needs, or deploy it on Docker."
        )
    return tuple(warnings)


def _link_mode(home: Home, environ: Mapping[str, str]) -> str:
    """Hard links from uv's cache where both lie on one disk (fast, shared), else copies without a warning."""
    cache = Path(environ.get("UV_CACHE_DIR") or Path(environ.get("HOME", "/")) / ".cache" / "uv")
    try:
        return "hardlink" if cache.stat().st_dev == home.root.stat().st_dev else "copy"
    except OSError:
        return "hardlink"


def _size_bytes(folder: Path) -> int:
    """Apparent size of all files, links not followed."""
    total = 0
    for base, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(base, name)).st_size  # noqa: PTH118 -- tens of thousands of files
    return total


def _write(path: Path, marker: BuildMarker) -> None:
    draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(marker))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path) -> BuildMarker | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=BuildMarker)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None
