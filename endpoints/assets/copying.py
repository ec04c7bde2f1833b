"""Bytes from one file to another as cheaply as is safe: shared blocks where the file system can, else a copy.

Never a hard link to a blob: whoever runs as the studio's user could write through it (read-only mode bits do not stop
the owner, and nothing stops root), and one wrong byte would be in every deployment and every later download.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_FICLONE = 0x40049409
_FEW = 4
_CANNOT_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}


def clone_or_copy(source: Path, destination: Path, *, mode: int) -> None:
    """Make `destination` (which must not exist) a file of its own with the content of `source`."""
    with source.open("rb") as reader, _create(destination, mode) as writer:
        if _clone(reader.fileno(), writer):
            return
        if _copy_in_kernel(reader.fileno(), writer):
            return
        reader.seek(0)
        with os.fdopen(os.dup(writer), "wb") as stream:
            shutil.copyfileobj(reader, stream, 1024 * 1024)


@contextlib.contextmanager
def _create(path: Path, mode: int) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        yield descriptor
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _clone(source: int, destination: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    try:
        fcntl.ioctl(destination, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def _copy_in_kernel(source: int, destination: int) -> bool:
    """Copy without the bytes passing through this process; False where the kernel cannot."""
    if not hasattr(os, "copy_file_range"):
        return False
    left = os.fstat(source).st_size
    try:
        while left > 0:
            copied = os.copy_file_range(source, destination, min(left, 1 << 30))
            if copied == 0:
                break
            left -= copied
    except OSError as error:
        if error.errno not in _CANNOT_CLONE:
            raise
        os.ftruncate(destination, 0)
        os.lseek(destination, 0, os.SEEK_SET)
        return False
    return left == 0


def sync(files: Sequence[Path], *, disk: Path) -> None:
    """Wait until `files` (or folders) are safely on `disk`: one by one when few, else by one flush of the whole disk.

    A wait per file costs milliseconds each, which is half a minute for a model of a thousand files.
    """
    if len(files) > _FEW and _sync_disk(disk):
        return
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
                raise
        finally:
            os.close(descriptor)


def _sync_disk(folder: Path) -> bool:
    """Flush the file system that holds `folder`; False where that cannot be done."""
    flush = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if flush is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return bool(flush(descriptor) == 0)
    finally:
        os.close(descriptor)
