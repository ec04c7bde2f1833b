"""Sends files and folders to the studio in parts, never whole in memory, with a progress line.

Nothing is skipped silently: what cannot be sent is refused by name before the first byte goes.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from endpoints.cli.client import Json, StudioClient
from endpoints.cli.failures import CommandFailed, StudioUnreachable
from endpoints.cli.terminal import Terminal, size
from endpoints.spec.errors import FieldError, Invalid

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

    def send(self, root: Path, *, purpose: str, field: str) -> str:
        """Upload `root` and return the upload's id. `field`: of the document that names it, for messages."""
        files = find_files(root, field=field)
        total = sum(file.size_bytes for file in files)
        root_name = root.resolve().name
        begun: Json = self.client.post(
            "uploads", json={"purpose": purpose, "root_name": root_name, "is_folder": root.is_dir()}
        )
        upload_id = str(begun["id"])
        sent = 0
        with self.terminal:
            for file in files:
                sent = self._send_file(file, upload_id, label=root_name, sent=sent, total=total)
            self.terminal.show(f"{root_name}: checking", is_forced=True)
            done: Json = self.client.post("uploads", upload_id, "complete", json={"unpack": False}, is_long=True)
            self._verify(done, sent=sent, file_count=len(files), root=root)
            count = f"{len(files)} files, " if len(files) > 1 else ""
            self.terminal.mark("ok", f"Uploaded {root_name}  {count}{size(sent)}")
        return upload_id

    def _send_file(self, file: LocalFile, upload_id: str, *, label: str, sent: int, total: int) -> int:
        """Part after part; an empty file is one empty part. Returns what has been sent of the whole."""
        with file.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != file.size_bytes:
                raise _changed(file)
            for offset in range(0, max(file.size_bytes, 1), PART_BYTES):
                length = min(PART_BYTES, file.size_bytes - offset)
                self._send_part(file, stream, upload_id, offset=offset, length=length)
                self.terminal.show(_progress(label, sent + offset + length, total))
        return sent + file.size_bytes

    def _send_part(self, file: LocalFile, stream: IO[bytes], upload_id: str, *, offset: int, length: int) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            stream.seek(offset)
            chunks = _chunks(file, stream, length)
            try:
                self.client.put_part(upload_id, path=file.relative, offset=offset, length=length, chunks=chunks)
            except StudioUnreachable:
                if attempt == _ATTEMPTS:
                    raise
                self.sleep(2.0**attempt / 4)
            else:
                return

    def _verify(self, done: Json, *, sent: int, file_count: int, root: Path) -> None:
        """What the studio stored is what was sent, by size and count."""
        stored = (done.get("size_bytes"), done.get("file_count"))
        if stored != (sent, file_count):
            raise CommandFailed(
                f"The studio stored {stored[1]} files of {stored[0]} bytes from {root},"
                f" but {file_count} files of {sent} bytes were sent; try again."
            )


def _chunks(file: LocalFile, stream: IO[bytes], length: int) -> Iterator[bytes]:
    """`length` bytes in small pieces, so that the file's bytes pass through and are never held."""
    while length:
        chunk = stream.read(min(_CHUNK_BYTES, length))
        if not chunk:
            raise _changed(file)
        length -= len(chunk)
        yield chunk


def _changed(file: LocalFile) -> CommandFailed:
    return CommandFailed(f"{file.path} changed while it was being sent; try again.")


def _progress(label: str, sent: int, total: int) -> str:
    share = sent / total if total else 1.0
    filled = int(share * 24)
    return f"{label}  {'█' * filled}{'░' * (24 - filled)}  {share:4.0%}  {size(sent)} of {size(total)}"
