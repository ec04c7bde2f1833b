"""The content-addressed store: `<root>/ab/cdef…` for files, `<root>/trees/ab/cdef…` for manifests.

Writers hash while they stream, write beside and rename, so that a file under its digest is always whole, whoever was
killed. Manifests have a folder of their own: a file someone uploads can never pose as a tree.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from endpoints.assets.copying import clone_or_copy, sync
from endpoints.assets.manifest import Entry, Manifest, Tree, decode, encode, make_manifest, tree_of
from endpoints.spec.errors import Invalid

_CHUNK_BYTES = 1024 * 1024
_BLOB_MODE = 0o444


class MissingAsset(LookupError):
    """The store has no such tree or file (it was collected, or the data folder was restored without it)."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Collected:
    """What garbage collection removed."""

    file_count: int
    size_bytes: int


class AssetStore:
    """Safe under concurrent writers in threads and processes; `root` and what is staged from it share one disk best."""

    def __init__(self, root: Path, *, now: Callable[[], float] = time.time) -> None:
        self._root, self._now = root, now
        self._drafts = root / "tmp"
        self._trees = root / "trees"

    # Adding ----------------------------------------------------------------------------------------------------

    def add_file(self, stream: Readable, *, root_name: str, is_executable: bool = False) -> Tree:
        """Store what `stream` yields as a tree whose root is one file named `root_name`."""
        name = checked_root_name(root_name)
        with self._batch() as batch:
            digest, size = batch.write(stream)
            entry = Entry(path="", digest=digest, size_bytes=size, is_executable=is_executable)
            return batch.write_manifest(make_manifest(name, is_folder=False, entries=[entry], empty_folders=[]))

    def add_tree(self, source: Path, *, root_name: str = "", consume: bool = False) -> Tree:
        """Store the file or folder `source` under its own base name or `root_name`.

        Links are stored as what they point to, which must lie within `source`. With `consume` files are moved into
        the store where that is cheaper than copying; `source` is the caller's to remove afterwards.
        """
        name, is_folder = checked_root_name(root_name or source.name), source.is_dir()
        with self._batch() as batch:
            if is_folder:
                entries, empty_folders = _add_folder(batch, source, consume)
            else:
                entries, empty_folders = [_add_path(batch, source, path="", consume=consume)], []
            return batch.write_manifest(
                make_manifest(name, is_folder=is_folder, entries=entries, empty_folders=empty_folders)
            )

    @contextlib.contextmanager
    def _batch(self) -> Iterator[_Batch]:
        """Files written in the block get their names together when it ends well; of the others nothing stays."""
        self._drafts.mkdir(parents=True, exist_ok=True)
        batch = _Batch(self._drafts, blob_path=self._blob_path, tree_path=self._tree_path)
        try:
            yield batch
            self._commit(batch.named)
        finally:
            for draft in batch.drafts:
                draft.unlink(missing_ok=True)

    def _commit(self, named: Mapping[Path, Path]) -> None:
        """Give drafts their names (final -> draft). A file that is there already stays and only becomes young again."""
        new = [final for final in named if not final.exists()]
        sync([named[final] for final in new], disk=self._root)
        now = self._now()
        with self._lock(fcntl.LOCK_SH):
            for final, draft in named.items():
                if not final.exists():
                    final.parent.mkdir(parents=True, exist_ok=True)
                    draft.rename(final)
                os.utime(final, (now, now))
        sync(list({final.parent for final in new}), disk=self._root)

    # Reading ---------------------------------------------------------------------------------------------------

    def has(self, digest: str) -> bool:
        """Whether the tree is stored with all its files."""
        try:
            return all(self._blob_path(entry.digest).exists() for entry in self.manifest(digest).entries)
        except MissingAsset:
            return False

    def manifest(self, digest: str) -> Manifest:
        try:
            return decode(self._tree_path(digest).read_bytes())
        except FileNotFoundError:
            raise MissingAsset(f"no tree {digest[:12]} in the store") from None

    def tree(self, digest: str) -> Tree:
        return tree_of(self.manifest(digest))

    def iter_entries(self, digest: str) -> Iterator[Entry]:
        """The tree's files in order of path, relative to the root."""
        yield from self.manifest(digest).entries

    def open_file(self, digest: str, path: str = "") -> IO[bytes]:
        """One file of a tree for reading; `path` is relative to the root and "" when the root is the file."""
        for entry in self.manifest(digest).entries:
            if entry.path == path:
                return self.open_entry(entry)
        raise MissingAsset(f"no file {path!r} in tree {digest[:12]}")

    def open_entry(self, entry: Entry) -> IO[bytes]:
        """The content of one entry of a manifest."""
        try:
            return self._blob_path(entry.digest).open("rb")
        except FileNotFoundError:
            raise MissingAsset(f"the content of {entry.path!r} ({entry.digest[:12]}) is not in the store") from None

    def materialise(self, digest: str, destination: Path, *, name: str | None = None, is_writable: bool = True) -> Path:
        """Lay the tree into the folder `destination` under its own base name, or `name`; returns the root's path.

        The files are copies of their own (shared blocks where the disk can): changing them harms nothing stored.
        """
        manifest = self.manifest(digest)
        root = destination / (manifest.root if name is None else name)
        destination.mkdir(parents=True, exist_ok=True)
        if manifest.folder:
            root.mkdir()
            for folder in manifest.empty_folders:
                (root / folder).mkdir(parents=True, exist_ok=True)
        for entry in manifest.entries:
            target = root / entry.path if entry.path else root
            target.parent.mkdir(parents=True, exist_ok=True)
            mode = (0o644 if is_writable else 0o444) | (0o111 if entry.is_executable else 0)
            try:
                clone_or_copy(self._blob_path(entry.digest), target, mode=mode)
            except FileNotFoundError:
                raise MissingAsset(f"the content of {entry.path!r} ({entry.digest[:12]}) is not in the store") from None
        return root

    def verify(self, digest: str) -> list[str]:
        """Paths whose stored content is missing or no longer matches its digest; empty when all is well."""
        damaged = []
        for entry in self.manifest(digest).entries:
            try:
                with self._blob_path(entry.digest).open("rb") as file:
                    is_whole = hashlib.file_digest(file, "sha256").hexdigest() == entry.digest
            except FileNotFoundError:
                is_whole = False
            if not is_whole:
                damaged.append(entry.path)
        return damaged

    # Collecting ------------------------------------------------------------------------------------------------

    def collect(self, live: Iterable[str], *, grace_s: float = 3600.0) -> Collected:
        """Remove every file and tree that no tree in `live` needs and that was not added within `grace_s`.

        The grace covers what has been stored but not yet been recorded; drafts of killed writers go after a day.
        """
        live_trees = set(live)
        needed = {
            entry.digest for tree in live_trees if self._tree_path(tree).exists() for entry in self.iter_entries(tree)
        }
        count = size = 0
        for path, digest, is_tree in self._stored():
            if digest in (live_trees if is_tree else needed):
                continue
            removed = self._remove_if_older(path, self._now() - grace_s)
            count, size = count + (removed is not None), size + (removed or 0)
        for draft in self._drafts.glob("*"):
            self._remove_if_older(draft, self._now() - 86400.0)
        return Collected(file_count=count, size_bytes=size)

    def _stored(self) -> Iterator[tuple[Path, str, bool]]:
        for base, is_tree in ((self._root, False), (self._trees, True)):
            for path in base.glob("[0-9a-f][0-9a-f]/*"):
                yield path, path.parent.name + path.name, is_tree

    def _remove_if_older(self, path: Path, moment: float) -> int | None:
        with self._lock(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if status.st_mtime < moment:
                path.unlink()
                return status.st_size
        return None

    @contextlib.contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        """Shared while a file gets its name, exclusive while one is removed."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("ab") as file:
            fcntl.flock(file, kind)
            yield

    def _blob_path(self, digest: str) -> Path:
        return self._root / _checked(digest)[:2] / digest[2:]

    def _tree_path(self, digest: str) -> Path:
        return self._trees / _checked(digest)[:2] / digest[2:]


class _Batch:
    """Files written but not yet under their names."""

    def __init__(self, folder: Path, *, blob_path: Callable[[str], Path], tree_path: Callable[[str], Path]) -> None:
        self._folder, self._blob_path, self._tree_path = folder, blob_path, tree_path
        self.drafts: list[Path] = []  # ours to remove
        self.named: dict[Path, Path] = {}  # final name -> where it lies now; the manifest comes last

    def write(self, stream: Readable) -> tuple[str, int]:
        """Store a stream; returns digest and size."""
        hasher, size = hashlib.sha256(), 0
        draft = self._new_draft()
        with draft.open("xb") as file:
            while chunk := stream.read(_CHUNK_BYTES):
                hasher.update(chunk)
                file.write(chunk)
                size += len(chunk)
            os.fchmod(file.fileno(), _BLOB_MODE)
        self.named[self._blob_path(hasher.hexdigest())] = draft
        return hasher.hexdigest(), size

    def move(self, source: Path) -> tuple[str, int]:
        """Store a file by taking it, where it lies on the same disk."""
        with source.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_nlink > 1 or status.st_dev != self._folder.stat().st_dev:
                return self.write(file)  # another name would lead to the blob, or the disk is another
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fchmod(file.fileno(), _BLOB_MODE)
        self.named[self._blob_path(digest)] = source
        return digest, status.st_size

    def write_manifest(self, manifest: Manifest) -> Tree:
        tree, draft = tree_of(manifest), self._new_draft()
        draft.write_bytes(encode(manifest))
        draft.chmod(_BLOB_MODE)
        self.named[self._tree_path(tree.digest)] = draft
        return tree

    def _new_draft(self) -> Path:
        draft = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        self.drafts.append(draft)
        return draft


def _add_folder(batch: _Batch, source: Path, consume: bool) -> tuple[list[Entry], list[str]]:
    """Every file below `source`, and the folders that hold nothing."""
    entries: list[Entry] = []
    empty_folders: list[str] = []
    root = source.resolve()
    for folder, subfolders, files in os.walk(source):
        here = Path(folder)
        for name in [*files, *(name for name in subfolders if (here / name).is_symlink())]:
            path = here / name
            relative = path.relative_to(source).as_posix()
            _refuse_odd(path, relative, root)
            entries.append(_add_path(batch, path, path=relative, consume=consume))
        if not files and not subfolders and here != source:
            empty_folders.append(here.relative_to(source).as_posix())
    return entries, empty_folders


def _add_path(batch: _Batch, source: Path, *, path: str, consume: bool) -> Entry:
    is_executable = bool(source.stat().st_mode & stat.S_IXUSR)
    if consume and not source.is_symlink():
        digest, size = batch.move(source)
    else:
        with source.open("rb") as stream:
            digest, size = batch.write(stream)
    return Entry(path=path, digest=digest, size_bytes=size, is_executable=is_executable)


def _checked(digest: str) -> str:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise MissingAsset(f"{digest[:80]!r} is not a digest")
    return digest


def checked_root_name(name: str) -> str:
    """`name` when it can be the base name of a file, else Invalid."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name or len(name.encode()) > 255:
        raise Invalid(f"{name[:80]!r} cannot be the name of a file or folder.")
    return name


def _refuse_odd(path: Path, relative: str, root: Path) -> None:
    """Only regular files, and links to regular files within the tree, under names that are text."""
    if any("\ud800" <= character <= "\udfff" for character in relative):
        raise Invalid(f"The name of {relative!r} is not UTF-8; rename it.")
    if not path.is_symlink():
        if not path.is_file():
            raise Invalid(f"{relative!r} is not a regular file (a socket, pipe or device); leave it out.")
        return
    target = path.resolve()
    if not target.is_relative_to(root):
        raise Invalid(f"{relative!r} is a link that leads out of the folder; replace it by the file it points to.")
    if not target.is_file():
        raise Invalid(f"{relative!r} is a link that leads to no file; replace it by what it should be.")
