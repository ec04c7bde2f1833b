"""Sends files and folders to the studio in parts, never whole in memory, with a progress line.

Nothing is skipped silently: what cannot be sent is refused by name before the first byte goes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from endpoints.cli.client import Json, StudioClient
from endpoints.cli.failures import CommandFailed, StudioUnreachable
from endpoints.cli.terminal import Terminal, size
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.references import FileLocation, LocationKind

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

PART_BYTES = 8 * 1024 * 1024
_ATTEMPTS = 4
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to send. `relative` is its path below the root, with slashes; the root's own name for a single file."""

    path: Path
    relative: str
    size_bytes: int


def find_files(root: Path, *, field: str) -> list[LocalFile]:
    """Everything below `root`, in order. Raises Invalid naming what is missing, leads out, or is no file."""
    if not root.exists():
        raise _refused(field, f"There is no file or folder {root}.")
    if root.is_file():
        return [LocalFile(root, root.name, root.stat().st_size)]
    base = root.resolve()
    paths = list(_walk(root, base, field))
    files = [LocalFile(path, path.relative_to(root).as_posix(), path.stat().st_size) for path in paths]
    if not files:
        raise _refused(field, f"The folder {root} holds no files.")
    return sorted(files, key=lambda file: file.relative)


def _walk(folder: Path, base: Path, field: str) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_symlink():
            _check_link(path, base, field)
        if entry.is_dir():
            yield from _walk(path, base, field)
        elif entry.is_file():
            yield path
        else:
            kind = stat.filemode(entry.stat(follow_symlinks=False).st_mode)[0]
            raise _refused(field, f"{path} is neither a file nor a folder (type '{kind}'); move it out of the folder.")


def _check_link(path: Path, base: Path, field: str) -> None:
    target = path.resolve()
    if not target.exists():
        raise _refused(field, f"{path} is a link to {path.readlink()}, which does not exist.")
    if not target.is_relative_to(base):
        raise _refused(field, f"{path} is a link that leads out of the folder, to {target}; put a copy in its place.")
    if path.parent.resolve().is_relative_to(target):
        raise _refused(field, f"{path} is a link to a folder that contains it; remove it.")


def _refused(field: str, message: str) -> Invalid:
    return Invalid(message, details=[FieldError(field, message)])


@dataclass(slots=True)
class Uploader:
    """Sends trees to one studio."""

    client: StudioClient
    terminal: Terminal
    sleep: Callable[[float], None] = time.sleep

    def place(self, root: Path, *, purpose: str, field: str) -> FileLocation:
        """The same as `send`, as a document names it."""
        return FileLocation(LocationKind.UPLOAD, self.send(root, purpose=purpose, field=field))

    def send(self, root: Path, *, purpose: str, field: str) -> str:
        """Upload `root` and return the upload's id. `field`: of the document that names it, for messages."""
        files = find_files(root, field=field)
        name, is_folder = root.resolve().name, root.is_dir()
        begun: Json = self.client.post("uploads", json={"purpose": purpose, "root_name": name, "is_folder": is_folder})
        upload_id = str(begun["id"])
        with self.terminal:
            progress = _Progress(self.terminal, name, sum(file.size_bytes for file in files))
            digests = [self._send_file(file, upload_id, progress) for file in files]
            self.terminal.show(f"{name}: checking", is_forced=True)
            done: Json = self.client.post("uploads", upload_id, "complete", json={"unpack": False}, is_long=True)
            if done["tree_digest"] != _tree_digest(name, is_folder, files, digests):
                raise CommandFailed(f"What the studio stored of {root} is not what was sent; try again.")
            count = f"{len(files)} files, " if len(files) > 1 else ""
            self.terminal.mark("ok", f"Uploaded {name}  {count}{size(progress.total_bytes)}")
        return upload_id

    def _send_file(self, file: LocalFile, upload_id: str, progress: _Progress) -> str:
        """Part after part; an empty file is one empty part. Returns the hex SHA-256 of what was sent."""
        hasher = hashlib.sha256()
        with file.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != file.size_bytes:
                raise _changed(file)
            for offset in range(0, max(file.size_bytes, 1), PART_BYTES):
                part = _Part(file, offset, min(PART_BYTES, file.size_bytes - offset))
                hasher = self._send_part(part, stream, upload_id, hasher)
                progress.add(part.length)
        return hasher.hexdigest()

    def _send_part(self, part: _Part, stream: IO[bytes], upload_id: str, before: Hasher) -> Hasher:
        """Send one part, again where the connection breaks. Returns `before` with the part added."""
        for attempt in range(1, _ATTEMPTS + 1):
            stream.seek(part.offset)
            hasher = before.copy()
            try:
                self.client.put_part(
                    upload_id,
                    path=part.file.relative,
                    offset=part.offset,
                    length=part.length,
                    chunks=part.chunks(stream, hasher),
                )
            except StudioUnreachable:
                if attempt == _ATTEMPTS:
                    raise
                self.sleep(2.0**attempt / 4)
            else:
                return hasher
        raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class _Part:
    file: LocalFile
    offset: int
    length: int

    def chunks(self, stream: IO[bytes], hasher: Hasher) -> Iterator[bytes]:
        """The part in small pieces, so that the file's bytes pass through and are never held."""
        left = self.length
        while left:
            chunk = stream.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise _changed(self.file)
            hasher.update(chunk)
            left -= len(chunk)
            yield chunk


@dataclass(slots=True)
class _Progress:
    """How much of the whole has gone, as a bar."""

    terminal: Terminal
    label: str
    total_bytes: int
    sent_bytes: int = 0

    def add(self, byte_count: int) -> None:
        self.sent_bytes += byte_count
        self.terminal.show(str(self))

    def __str__(self) -> str:
        share = self.sent_bytes / self.total_bytes if self.total_bytes else 1.0
        bar = "█" * int(share * 24)
        return f"{self.label}  {bar:░<24}  {share:4.0%}  {size(self.sent_bytes)} of {size(self.total_bytes)}"


def _tree_digest(name: str, is_folder: bool, files: list[LocalFile], digests: list[str]) -> str:
    """The digest the studio's store must come to for these files."""
    from endpoints.assets.manifest import Entry, make_manifest, tree_of

    entries = [
        Entry(path=file.relative if is_folder else "", digest=digest, size_bytes=file.size_bytes)
        for file, digest in zip(files, digests, strict=True)
    ]
    return tree_of(make_manifest(name, is_folder=is_folder, entries=entries, empty_folders=[])).digest


def _changed(file: LocalFile) -> CommandFailed:
    return CommandFailed(f"{file.path} changed while it was being sent; try again.")
