"""Environments as images: uv installs into a container of the base, and the container becomes the image.

uv's cache, the certificates and the index settings are lent to the build container and never enter the image, so a
changed line costs a copy from the cache and no password stays in a layer. The image's labels are its only record.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import uv as uv_package
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount

from endpoints.assets import AssetStore, MissingAsset
from endpoints.environments.build_container import ended_if, lines_of
from endpoints.environments.build_lock import build_lock
from endpoints.environments.builds import BuildCanceled, BuildFailed, BuildResult, Told
from endpoints.environments.image_context import build_context
from endpoints.environments.image_map import ImageMap, image_map
from endpoints.environments.image_origin import LABEL as MADE_OF
from endpoints.environments.image_origin import MadeOf, Origin, made_of, origin_of
from endpoints.environments.package_index import environment_for_uv, without_credentials
from endpoints.environments.spec import EnvironmentSpec, Recipe, build_key, recipe_of, shown_version
from endpoints.environments.uv_failures import explain
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogLine, LogWriter
from endpoints.spec.states import FailureCode

# Where the environment lies in the image.
PYTHON_IN_IMAGE = "/opt/slipway/env/bin/python"
_LABEL = "slipway.build"
_SILENCE_S = 900  # uv says nothing while it compiles thousands of modules, nor the engine while it commits them
# $1 the wanted version specifier or "", $2 more options for the virtual environment, $3 "yes" where the image has an
# environment that is to become this one: then exactly what a fresh one would get is left in it. Bytecode is made once
# here: containers run read-only and would compile every import at every start. uv leaves the bytecode of a module that
# is a file of its own when it removes it, and one of the same second would pass for its successor's.
_SCRIPT = """
set -eu
. /build/environment
wanted=$1
if [ -n "$wanted" ] && ! /build/uv python find "$wanted" >/dev/null 2>&1; then
  echo "slipway-python-missing"
  wanted=
fi
if [ "$3" = yes ]; then
  python=/opt/slipway/env/bin/python wanted=/build/requirements.txt lock=/tmp/slipway-lock.txt
  /build/uv pip compile --quiet --python $python $wanted --color never --no-header --no-annotate \\
    --emit-index-url --emit-find-links -o $lock
  rm -rf /opt/slipway/env/lib/python*/site-packages/__pycache__
  /build/uv pip sync --python $python $lock --color never --compile-bytecode
  rm $lock
  $python -c 'import platform; print("slipway-python", platform.python_version())'
  exit
fi
/build/uv venv --quiet --no-project --clear $2 ${wanted:+--python "$wanted"} /opt/slipway/env
if [ -s /build/requirements.txt ]; then
  /build/uv pip install --python /opt/slipway/env/bin/python -r /build/requirements.txt --color never --compile-bytecode
fi
/opt/slipway/env/bin/python -c 'import platform; print("slipway-python", platform.python_version())'
"""
# Of the host's environment only what concerns package indexes; paths of the host mean nothing in the container.
_LENT = ("UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy")
_NOT_LENT = {"UV_CACHE_DIR", "UV_LINK_MODE", "UV_PYTHON_INSTALL_DIR", "UV_CONFIG_FILE", "UV_PROJECT_ENVIRONMENT"}


class ImageBuilder:
    """Builds and finds images. Safe among threads and processes of one host."""

    def __init__(
        self,
        home: Home,
        *,
        client: docker.DockerClient | None = None,
        environ: Mapping[str, str] | None = None,
        images: ImageMap | None = None,
        store: AssetStore | None = None,
    ) -> None:
        self._store = store or AssetStore(home.blobs)
        source = os.environ if environ is None else environ
        self._home, self._client = home, client
        self._environ = environment_for_uv(source)
        self._images = images or image_map(source)

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            try:
                self._client = docker.from_env(timeout=_SILENCE_S)
            except DockerException as error:
                raise _failed(f"The Docker engine cannot be reached: {error}.", "Start it, then retry.") from error
        return self._client

    def folder(self, key: str) -> Path:
        return self._home.environments / f"{key}.image"

    def log_file(self, key: str) -> Path:
        """Where the build's JSON lines are, during the build and after it."""
        return self.folder(key) / "build.jsonl"

    def _tag(self, key: str) -> str:
        return f"slipway-environment:{self._home.studio_id}-{key[:32]}"

    def _builder_name(self, key: str) -> str:
        return f"slipway-build-{self._home.studio_id}-{key[:32]}"

    def find(self, spec: EnvironmentSpec) -> BuildResult | None:
        return self._finished(build_key(spec))

    def build(
        self,
        spec: EnvironmentSpec,
        *,
        log: Callable[[LogLine], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> BuildResult:
        """Build `spec`, or wait for whoever is building it, or return what is there; errors as of `VenvBuilder`."""
        key = build_key(spec)
        try:
            if found := self._finished(key):
                return found
            with build_lock(self._home.environments / f"{key}.image.lock", is_cancelled):
                return self._finished(key) or self._build(key, spec, log, is_cancelled)
        except MissingAsset as error:
            raise _failed(f"The build context is gone: {error}.", "Register the environment again.") from error
        except (DockerException, OSError) as error:
            raise _failed(f"The Docker engine refused: {error}.", "Look at the engine, then retry.") from error

    def remove(self, key: str) -> None:
        """Remove the image of `key` and its log."""
        for tag in (self._tag(key), f"{self._tag(key)}-context"):
            with contextlib.suppress(ImageNotFound):
                self.client.images.remove(tag, force=True)
        shutil.rmtree(self.folder(key), ignore_errors=True)

    # One build -------------------------------------------------------------------------------------------------

    def _build(
        self, key: str, spec: EnvironmentSpec, log: Callable[[LogLine], None], is_cancelled: Callable[[], bool]
    ) -> BuildResult:
        began = time.monotonic()
        shutil.rmtree(self.folder(key), ignore_errors=True)
        writer = LogWriter(self.log_file(key), logger="build")

        def say(message: str, level: str = "INFO") -> None:
            log(writer.write(without_credentials(message), level=level))

        try:
            recipe = recipe_of(spec)
            for note in recipe.notes:
                say(note)
            told = Told()
            if spec.context_digest:
                base = self._built_context(key, spec, say, is_cancelled, told)
            else:
                base = self._base(spec.image, say, told)
            say(f"Building on {base}.")
            if spec.has_own_server:
                return self._as_it_is(key, recipe, base, say, told, began=began)
            is_bare_image = bool(spec.image or spec.context_digest) and recipe.is_bare
            origin = self._origin(recipe, base, is_bare_image=is_bare_image)
            if origin.is_finished:
                say("Beginning with an image that differs in a few packages.")
            lines = self._install(key, recipe, origin, say, is_cancelled, is_bare_image=is_bare_image)
        except BuildFailed as failed:
            say(failed.failure.message, "ERROR")
            raise
        except BuildCanceled:
            say("The build was canceled.", "WARNING")
            raise
        python_used = next(line.split()[1] for line in reversed(lines) if line.startswith("slipway-python "))
        if "slipway-python-missing" in lines:
            wanted = shown_version(recipe.python)
            told.warn(f"Python {wanted} is not in the image {base}; Python {python_used} is used instead.", say)
        record = {"python_requested": shown_version(recipe.python), "python_used": python_used, **vars(told)}
        image = self._commit(key, {**record, "seconds": round(time.monotonic() - began, 3)}, origin.made_of)
        say(f"Built in {time.monotonic() - began:.1f} s with Python {python_used}.")
        return _result(key, image, is_cached=False)

    def _origin(self, recipe: Recipe, base: str, *, is_bare_image: bool) -> Origin:
        """What to begin with: an image of this studio that is near enough, else the base."""
        wanted = made_of(str(self.client.images.get(base).id), recipe, is_bare_image=is_bare_image)
        if recipe.is_bare:
            return Origin(base, wanted)
        repository, _, tag = self._tag("").partition(":")
        images = self.client.images.list(repository)
        return origin_of(wanted, base, [each for each in images if any(f":{tag}" in name for name in each.tags)])

    def _as_it_is(
        self, key: str, recipe: Recipe, base: str, say: Callable[..., None], told: Told, *, began: float
    ) -> BuildResult:
        """An image with a server of its own under our name: nothing of ours enters it."""
        if not recipe.is_bare:
            told.warn("The image brings its own server: the packages beside it are not installed into it.", say)
        record = {**vars(told), "seconds": round(time.monotonic() - began, 3)}
        self.client.images.build(
            fileobj=io.BytesIO(f"FROM {base}\n".encode()),
            tag=self._tag(key),
            labels={_LABEL: json.dumps(record), "slipway.key": key},
            rm=True,
        )
        say("The image brings its own server and is used as it is.")
        return _result(key, self.client.images.get(self._tag(key)), is_cached=False)

    def _built_context(
        self,
        key: str,
        spec: EnvironmentSpec,
        say: Callable[..., None],
        is_cancelled: Callable[[], bool],
        told: Told,
    ) -> str:
        """The user's own Dockerfile as an image, to which only a way to run the scoring server is added."""
        tag = f"{self._tag(key)}-context"
        with tempfile.TemporaryDirectory(prefix="slipway-context-") as scratch:
            folder = self._store.materialise(spec.context_digest, Path(scratch), name="context")
            build_context(
                self.client,
                folder,
                dockerfile=spec.dockerfile_path or "Dockerfile",
                tag=tag,
                base_for=lambda image: self._base(image, say, told),
                say=say,
                is_cancelled=is_cancelled,
            )
        return tag

    def _base(self, image: str, say: Callable[..., None], told: Told) -> str:
        """The local image to build on, noted in `told`."""
        base = self._found_base(image or self._images.default, say, told)
        if base not in told.bases:
            told.bases.append(base)
        return base

    def _found_base(self, wanted: str, say: Callable[..., None], told: Told) -> str:
        if self._has(wanted):
            return wanted
        stand_in = self._images.stand_in(wanted)
        if stand_in and self._has(stand_in):
            told.warn(f"{wanted} is not on this host; the image map says to use {stand_in}.", say)
            return stand_in
        say(f"Pulling {wanted}.")
        try:
            self.client.images.pull(wanted)
        except (APIError, DockerException) as error:
            raise _failed(
                f"The base image {wanted} is not on this host and cannot be pulled: {error}.",
                "Name an image the engine can pull, or let an admin map it to a local one (SLIPWAY_IMAGE_MAP).",
            ) from error
        return wanted

    def _has(self, image: str) -> bool:
        try:
            self.client.images.get(image)
        except NotFound:
            return False
        return True

    def _install(
        self,
        key: str,
        recipe: Recipe,
        origin: Origin,
        say: Callable[..., None],
        is_cancelled: Callable[[], bool],
        *,
        is_bare_image: bool,
    ) -> list[str]:
        """Run the build container to its end and leave it, stopped, under its name; returns its output."""
        self._discard(key)
        with self._lent(recipe) as mounts:
            options = "--system-site-packages" if is_bare_image else ""
            container = self.client.containers.create(
                origin.image,
                entrypoint=["/bin/sh", "-c", _SCRIPT, "slipway-build"],
                command=[recipe.python, options, "yes" if origin.is_finished else ""],
                name=self._builder_name(key),
                user="0",
                mounts=mounts,
                labels={"slipway.role": "builder", "slipway.builder-of": self._home.studio_id},
                working_dir="/",
            )
            lines: list[str] = []
            with ended_if(container, is_cancelled) as was_cancelled:
                container.start()
                for line in lines_of(container.logs(stream=True, follow=True)):
                    lines.append(line)
                    if not line.startswith("slipway-"):
                        say(line)
                status = container.wait()["StatusCode"]
        if was_cancelled.is_set() or is_cancelled():
            self._discard(key)
            raise BuildCanceled
        if status != 0:
            self._discard(key)
            raise BuildFailed(explain(lines, python_version=recipe.python or "of the image"))
        return lines

    @contextlib.contextmanager
    def _lent(self, recipe: Recipe) -> Iterator[list[Mount]]:
        """What the build container sees of the host: uv, its cache, requirements, index settings, certificates."""
        cache = self._home.root / "cache" / "uv-images"
        cache.mkdir(parents=True, exist_ok=True)
        environ = {
            name: value for name, value in self._environ.items() if name.startswith(_LENT) and name not in _NOT_LENT
        }
        environ.update(UV_CACHE_DIR="/build/cache", UV_LINK_MODE="copy", HOME="/tmp")  # noqa: S108 -- in the container
        # Mounts, not volumes: those would be written into the image's configuration.
        mounts = [
            Mount("/build/cache", str(cache), type="bind"),
            Mount("/build/uv", str(uv_package.find_uv_bin()), type="bind", read_only=True),
        ]
        if (bundle := self._environ.get("SSL_CERT_FILE")) and Path(bundle).is_file():
            mounts.append(Mount("/build/ca.crt", bundle, type="bind", read_only=True))
            environ["SSL_CERT_FILE"] = "/build/ca.crt"
        mounts += [Mount(folder, folder, type="bind", read_only=True) for folder in set(self._local_indexes())]
        with tempfile.TemporaryDirectory(prefix="slipway-build-") as scratch:
            exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environ.items())
            (Path(scratch) / "environment").write_text(exports, encoding="utf-8")
            wanted = "\n".join([*recipe.options, *recipe.requirements, ""]) if recipe.requirements else ""
            (Path(scratch) / "requirements.txt").write_text(wanted, encoding="utf-8")
            for name in ("environment", "requirements.txt"):
                mounts.append(Mount(f"/build/{name}", str(Path(scratch) / name), type="bind", read_only=True))
            yield mounts

    def _local_indexes(self) -> Iterator[str]:
        """Folders of this host that its own configuration names as package sources."""
        words = f"{self._environ.get('UV_FIND_LINKS', '')} {self._environ.get('UV_EXTRA_INDEX_URL', '')}"
        for word in words.replace(",", " ").split():
            path = Path(word.removeprefix("file://"))
            path = path.parent if path.name == "simple" else path  # the files an index links to lie beside it
            if path.is_absolute() and path.is_dir() and path != Path("/"):
                yield str(path)

    def _commit(self, key: str, record: Mapping[str, object], made: MadeOf) -> Any:
        container = self.client.containers.get(self._builder_name(key))
        repository, _, tag = self._tag(key).partition(":")
        image = container.commit(
            repository=repository,
            tag=tag,
            conf={
                "Labels": {_LABEL: json.dumps(record), "slipway.key": key, MADE_OF: made.as_label()},
                "Entrypoint": [],
                "Cmd": ["/bin/sh"],
            },
        )
        self._discard(key)
        return image

    def _discard(self, key: str) -> None:
        with contextlib.suppress(NotFound):
            self.client.containers.get(self._builder_name(key)).remove(force=True, v=True)

    def _finished(self, key: str) -> BuildResult | None:
        try:
            return _result(key, self.client.images.get(self._tag(key)), is_cached=True)
        except NotFound:
            return None


def _result(key: str, image: Any, *, is_cached: bool) -> BuildResult:
    record = json.loads(image.labels.get(_LABEL, "{}"))
    return BuildResult(
        key=key,
        python=None,
        image=str(image.id),
        python_requested=record.get("python_requested", ""),
        python_used=record.get("python_used", ""),
        bases=tuple(record.get("bases", ())),
        warnings=tuple(record.get("warnings", ())),
        size_bytes=int(image.attrs.get("Size", 0)),
        seconds=0.0 if is_cached else float(record.get("seconds", 0.0)),
        is_cached=is_cached,
    )


def _failed(message: str, advice: str) -> BuildFailed:
    return BuildFailed(
        Failure(code=FailureCode.IMAGE_BUILD_FAILURE, message=without_credentials(message), advice=advice)
    )
