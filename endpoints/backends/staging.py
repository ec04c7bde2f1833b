"""Laying out what instances of a revision need: its code, its model, and the scoring server.

A model is copied out of the store once per digest and shared by hard links among the revisions that use it; a stamp
tells when somebody wrote to such a copy, and then it is laid out anew. Code is a copy per revision.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from endpoints.assets import AssetStore
from endpoints.backends.base import InstanceTemplate
from endpoints.backends.troubles import part
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogWriter

SERVER_MODULE = "slipway_scoring"


class _Stamp(msgspec.Struct, frozen=True):
    """path -> size and time of change in ns, for every file of a staged model."""

    files: dict[str, tuple[int, int]]


class Stager:
    """Every method is idempotent, and what it makes appears whole or not at all."""

    def __init__(self, home: Home, store: AssetStore, *, server_package: Path) -> None:
        self._home, self._store, self._server_package = home, store, server_package

    def stage_server(self) -> Path:
        """The folder to put on the path of instances: `<home>/servers/<digest>`, holding the module."""
        files = list(_python_files(self._server_package))
        hasher = hashlib.sha256()
        for path in files:
            content = path.read_bytes()
            hasher.update(f"{path.relative_to(self._server_package).as_posix()}\0{len(content)}\0".encode())
            hasher.update(content)
        final = self._home.servers / hasher.hexdigest()[:16]
        if not final.exists():
            with draft_of(final) as draft:
                for path in files:
                    target = draft / SERVER_MODULE / path.relative_to(self._server_package)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
        return final

    def stage_revision(
        self, template: InstanceTemplate, final: Path, *, code: str, models: str, log: LogWriter
    ) -> None:
        """Lay out the revision as the folder `final`: the code as `code` in it, the model below `models`."""
        began = time.monotonic()
        log.write(f"Staging revision {template.revision}.")
        try:
            with draft_of(final) as draft:
                self.stage_code(template.code_digest, draft / code)
                log.write(f"Code: {self._described(template.code_digest)}.")
                (draft / models).mkdir(parents=True, exist_ok=True)
                if template.model is not None:
                    model = template.model
                    self.stage_model(model.digest, draft / models / part(model.name) / part(model.version))
                    log.write(f"Model {model.name}:{model.version}: {self._described(model.digest)}.")
        except Exception as error:
            log.write(f"Staging failed: {error}", level="ERROR")
            raise
        log.write(f"Staged in {time.monotonic() - began:.2f} s.")

    def _described(self, digest: str) -> str:
        if not digest:
            return "none"
        tree = self._store.tree(digest)
        return f"{tree.root_name}, {tree.file_count} files, {tree.size_bytes:,} bytes"

    def stage_code(self, digest: str, destination: Path) -> None:
        """The tree's content as the folder `destination`; a tree that is one file becomes the file in it."""
        if not digest:
            destination.mkdir(parents=True)
        elif self._store.tree(digest).is_folder:
            self._store.materialise(digest, destination.parent, name=destination.name)
        else:
            self._store.materialise(digest, destination)

    def stage_model(self, digest: str, destination: Path) -> Path:
        """The tree under its own base name in the folder `destination`."""
        source = self._shared_model(digest)
        root = destination / source.name
        destination.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, root, copy_function=_link_or_copy)
        else:
            _link_or_copy(source, root)
        return root

    def _shared_model(self, digest: str) -> Path:
        folder, stamp_file = self._home.staged_models / digest, self._home.staged_models / f"{digest}.json"
        name = self._store.tree(digest).root_name
        with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
            stamp = msgspec.json.decode(stamp_file.read_bytes(), type=_Stamp)
            if stamp.files == _stat_all(folder):
                os.utime(folder)
                return folder / name
        stamp_file.unlink(missing_ok=True)
        _remove(folder)
        with draft_of(folder) as draft:
            self._store.materialise(digest, draft, is_writable=False)
        draft_stamp = stamp_file.with_name(f".{stamp_file.name}.{secrets.token_hex(4)}")
        draft_stamp.write_bytes(msgspec.json.encode(_Stamp(files=_stat_all(folder))))
        draft_stamp.replace(stamp_file)
        return folder / name

    def collect(self, *, servers_in_use: set[str], grace_s: float, now: Callable[[], float] = time.time) -> None:
        """Remove shared models no revision links to and servers no instance runs, unless touched within `grace_s`."""
        young = now() - grace_s
        for folder in self._home.staged_models.glob("*"):
            if folder.suffix == ".json" or folder.stat().st_mtime >= young:
                continue
            if not any(path.stat().st_nlink > 1 for path in folder.rglob("*") if path.is_file()):
                folder.with_suffix(".json").unlink(missing_ok=True)
                _remove(folder)
        for folder in self._home.servers.glob("*"):
            if folder.name not in servers_in_use and folder.stat().st_mtime < young:
                _remove(folder)


@contextlib.contextmanager
def draft_of(final: Path) -> Iterator[Path]:
    """A folder beside `final` that takes its name when the block ends well; the second of two yields."""
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    draft.mkdir()
    try:
        yield draft
        with contextlib.suppress(OSError):
            draft.rename(final)
        if not final.exists():
            raise OSError(f"{final} could not be made")
    finally:
        _remove(draft)


def _remove(folder: Path) -> None:
    """Remove a folder that may not exist and whose parts may be read-only."""
    shutil.rmtree(folder, ignore_errors=True)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # too many links, or another disk
        shutil.copy(source, target)


def _stat_all(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def _python_files(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path
