"""Archives from strangers, unpacked so that nothing leaves the destination and nothing fills the disk.

Bytes are counted while they are written, whatever the archive says of itself. Members become plain files and folders:
no owner, no mode but the executable bit. Links are made last, as copies of the files they lead to within the archive.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, Self

from endpoints.assets.copying import clone_or_copy
from endpoints.spec.errors import Invalid, LimitExceeded

_CHUNK_BYTES = 256 * 1024
_MAX_HOPS = 16
# Extended headers hold names and times; a larger one is an attack on memory, for tarfile reads them whole.
_MAX_TAR_HEADER_BYTES = 1024 * 1024
# Where the end records of a zip can be: they and a comment of up to 64 KiB.
_ZIP_END_BYTES = 65_536 + 200
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, OSError)


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """max_bytes: of all members together, unpacked. max_files: files and folders together."""

    max_bytes: int = 64 * 1024**3
    max_files: int = 20_000
    max_path_bytes: int = 1024


def unpack_archive(archive: Path, destination: Path, limits: UnpackLimits | None = None) -> int:
    """Unpack a zip or tar (plain, gz, bz2, xz) into the new folder `destination`; returns the number of files.

    Raises Invalid or LimitExceeded, naming the member; then nothing is left of `destination`.
    """
    destination.mkdir(parents=True)
    writer = _Writer(destination, limits or UnpackLimits())
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, writer)
        else:
            _unpack_tar(archive, writer)
        writer.make_links()
    except BaseException:
        shutil.rmtree(destination, ignore_errors=True)
        raise
    return writer.file_count


def is_archive(path: Path) -> bool:
    """Whether `path` is a zip or a tar by its content."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def single_root(folder: Path) -> Path:
    """The one file or folder that `folder` holds, or `folder` itself when it holds none or several."""
    children = list(folder.iterdir())
    return children[0] if len(children) == 1 else folder


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Writer:
    """Writes members below one folder and keeps count."""

    def __init__(self, destination: Path, limits: UnpackLimits) -> None:
        self._destination, self.limits = destination, limits
        self._left_bytes = limits.max_bytes
        self._member_count = 0
        self._files: set[PurePosixPath] = set()
        self._links: dict[PurePosixPath, PurePosixPath] = {}

    @property
    def file_count(self) -> int:
        return len(self._files)

    def add_folder(self, name: str) -> None:
        if path := self._member(name):
            self._make_folder(path, name)

    def add_file(self, name: str, source: _Readable, *, is_executable: bool) -> None:
        if not (path := self._member(name)):
            return
        self._make_folder(path.parent, name)
        target = self._claim(path, name)
        with target.open("xb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                self._take(len(chunk), name)
                file.write(chunk)
        target.chmod(0o755 if is_executable else 0o644)

    def add_link(self, name: str, target: str, *, is_relative_to_root: bool) -> None:
        """Note a link; `target` counts from the member's folder, or from the archive's root (hard links)."""
        if not (path := self._member(name)):
            return
        if not target or target.startswith(("/", "\\")) or "\0" in target:
            raise Invalid(f"The archive's member {name!r} is a link to {target!r}, outside the archive.")
        base = PurePosixPath() if is_relative_to_root else path.parent
        resolved = _normalised(base / target)
        if resolved is None:
            raise Invalid(f"The archive's member {name!r} is a link to {target!r}, outside the archive.")
        if path in self._links or path in self._files:
            raise Invalid(f"The archive holds {name!r} twice.")
        self._links[path] = resolved

    def make_links(self) -> None:
        """Turn each noted link into a copy of the file it leads to."""
        for path, target in self._links.items():
            hops = 0
            while target in self._links and hops < _MAX_HOPS:
                target, hops = self._links[target], hops + 1
            if target not in self._files:
                raise Invalid(
                    f"The archive's member '{path}' is a link to '{target}', which is no file of the archive; "
                    "pack the files themselves (tar: -h, zip: without -y)."
                )
        for path in list(self._links):
            target = path
            while target in self._links:
                target = self._links[target]
            self._copy(target, path)

    def _copy(self, source: PurePosixPath, path: PurePosixPath) -> None:
        original = self._destination / source
        self._take(original.stat().st_size, str(path))
        self._make_folder(path.parent, str(path))
        clone_or_copy(original, self._claim(path, str(path)), mode=stat.S_IMODE(original.stat().st_mode))

    def _member(self, name: str) -> PurePosixPath | None:
        """The member's place, None for what is not wanted (the root itself, macOS junk)."""
        self._member_count += 1
        if self._member_count > self.limits.max_files:
            raise LimitExceeded(
                f"The archive holds more than {self.limits.max_files:,} files and folders (at {name[:200]!r})."
            )
        if "\0" in name or name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
            raise Invalid(f"The archive's member {name[:200]!r} has an absolute path; pack it with relative paths.")
        path = PurePosixPath(name)
        if ".." in path.parts:
            raise Invalid(f"The archive's member {name[:200]!r} leads out of the archive.")
        if len(name.encode("utf-8", "surrogateescape")) > self.limits.max_path_bytes:
            raise LimitExceeded(f"The archive's member {name[:80]!r}… has too long a path.")
        if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in path.parts):
            raise LimitExceeded(f"The archive's member {name[:80]!r}… has too long a name.")
        return None if not path.parts or _is_junk(path) else path

    def _claim(self, path: PurePosixPath, name: str) -> Path:
        target = self._destination / path
        if path in self._files or target.exists():
            raise Invalid(f"The archive holds {name!r} twice.")
        self._files.add(path)
        return target

    def _make_folder(self, path: PurePosixPath, name: str) -> None:
        try:
            (self._destination / path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise Invalid(f"The archive holds a file where {name!r} needs a folder.") from None

    def _take(self, size: int, name: str) -> None:
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise LimitExceeded(
                f"Unpacked, the archive is larger than {self.limits.max_bytes:,} bytes (at member {name!r})."
            )


def _is_junk(path: PurePosixPath) -> bool:
    """What macOS adds to archives: resource forks and Finder's notes."""
    return "__MACOSX" in path.parts or path.name == ".DS_Store" or path.name.startswith("._")


def _normalised(path: PurePosixPath) -> PurePosixPath | None:
    """`path` without `.` and `..`; None when it leads above its start."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != "/":
            parts.append(part)
    return PurePosixPath(*parts)


# Zip -------------------------------------------------------------------------------------------------------------


def _unpack_zip(archive: Path, writer: _Writer) -> None:
    name = ""
    try:
        _check_member_count(archive, writer.limits)
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                name = info.filename.replace("\\", "/")
                _unpack_zip_member(opened, info, name, writer)
    except NotImplementedError as error:
        raise Invalid(f"The archive's member {name!r} cannot be read: {error}.") from None
    except _BROKEN as error:
        raise _broken(error, name) from error


def _check_member_count(archive: Path, limits: UnpackLimits) -> None:
    """Refuse a zip that announces too many members before zipfile reads its whole directory into memory."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _ZIP_END_BYTES))
        end = file.read()
    at = end.rfind(b"PK\x06\x06")  # the end record of zip64; without it there are at most 65,535 members
    if at >= 0 and len(end) >= at + 40:
        (count,) = struct.unpack_from("<Q", end, at + 32)
        if count > limits.max_files:
            raise LimitExceeded(f"The archive holds {count:,} files and folders, more than {limits.max_files:,}.")


def _unpack_zip_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, writer: _Writer) -> None:
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if info.flag_bits & 0x1:
        raise Invalid(f"The archive's member {name!r} is encrypted; pack it without a password.")
    if name.endswith("/"):
        writer.add_folder(name)
    elif kind == stat.S_IFLNK:
        target = opened.open(info).read(4096).decode("utf-8", "replace")
        writer.add_link(name, target, is_relative_to_root=False)
    elif kind not in (0, stat.S_IFREG):
        raise Invalid(f"The archive's member {name!r} is a device, pipe or socket.")
    else:
        with opened.open(info) as source:
            writer.add_file(name, source, is_executable=bool(mode & 0o111))


# Tar -------------------------------------------------------------------------------------------------------------


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses extended headers that would be read into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        is_extended = info.type in (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if is_extended and info.size > _MAX_TAR_HEADER_BYTES:
            raise Invalid(f"The archive has an extended header of {info.size:,} bytes before {info.name[:80]!r}.")
        return info


def _unpack_tar(archive: Path, writer: _Writer) -> None:
    name = ""
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*", tarinfo=_BoundedTarInfo) as opened:
            for info in _members(opened):
                name = info.name
                _unpack_tar_member(opened, info, writer)
    except _BROKEN as error:
        raise _broken(error, name) from error


def _members(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members one by one, without tarfile keeping them all."""
    while (info := opened.next()) is not None:
        yield info
        opened.members.clear()  # type: ignore[attr-defined]


def _unpack_tar_member(opened: tarfile.TarFile, info: tarfile.TarInfo, writer: _Writer) -> None:
    if info.isdir():
        writer.add_folder(info.name)
    elif info.issym() or info.islnk():
        writer.add_link(info.name, info.linkname, is_relative_to_root=info.islnk())
    elif info.isreg():
        source: IO[bytes] | None = opened.extractfile(info)
        if source is not None:
            writer.add_file(info.name, source, is_executable=bool(info.mode & 0o111))
    else:
        raise Invalid(f"The archive's member {info.name!r} is a device, pipe or socket.")


def _broken(error: BaseException, name: str) -> Exception:
    if isinstance(error, OSError) and error.errno is not None:
        return error  # the disk's fault, not the archive's
    if not name:
        return Invalid(f"This is not a zip or tar archive that can be read ({error}).")
    return Invalid(f"The archive is damaged at or after {name!r} ({error}); pack and upload it again.")
