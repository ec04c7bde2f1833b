"""Files on their way in: begun, sent in parts (streamed to disk, resumable), completed into the asset store.

Knows nothing of models or deployments; whoever registers names a completed upload. An upload is its creator's alone.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from endpoints.assets import AssetStore, Tree, UnpackLimits, single_root, unpack_archive
from endpoints.assets.store import checked_root_name
from endpoints.models import Upload
from endpoints.services.store import asset_store, home
from endpoints.spec.errors import Conflict, FieldError, Forbidden, Invalid, LimitExceeded, NotFound
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of

MAX_PART_BYTES = 16 * 1024**2
_CHUNK_BYTES = 256 * 1024
_MAX_DEPTH = 32

MODEL, CODE, ENVIRONMENT_CONTEXT = "model", "code", "environment-context"
# Any of these, anywhere, lets a person send files for the purpose; what they may do with them is asked later.
_NEEDED_ACTIONS = {
    MODEL: (actions.MODELS_WRITE,),
    CODE: (actions.DEPLOYMENTS_WRITE,),
    ENVIRONMENT_CONTEXT: (actions.ENVIRONMENTS_WRITE,),
}


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def begin_upload(actor: User, *, purpose: str, root_name: str, is_folder: bool) -> Upload:
    """Open an upload of one file named `root_name`, or of a folder of that name."""
    if purpose not in _NEEDED_ACTIONS:
        raise _invalid("purpose", f"{purpose!r} is none of {', '.join(_NEEDED_ACTIONS)}.")
    _require_any(actor, _NEEDED_ACTIONS[purpose])
    try:
        checked_root_name(root_name)
    except Invalid as refusal:
        raise _invalid("root_name", refusal.message) from refusal
    return Upload.objects.create(purpose=purpose, root_name=root_name, is_folder=is_folder, created_by=actor)


def _require_any(actor: User, wanted: tuple[str, ...]) -> None:
    grants = grants_of(actor)
    if not any(grants.endpoints(action) != frozenset() for action in wanted):
        raise Forbidden(
            f"You may not upload this: the action {wanted[0]} is missing from your roles. "
            "Ask an owner of the workspace to assign a role that has it.",
            action=wanted[0],
        )


def get_upload(actor: User, *, upload_id: UUID | str) -> Upload:
    """The actor's own upload. Those of others do not exist for them."""
    missing = NotFound(f"You have no upload {str(upload_id)!r}. Begin one, or send the files again.")
    try:
        key = upload_id if isinstance(upload_id, UUID) else UUID(upload_id)
    except ValueError:
        raise missing from None
    row = Upload.objects.filter(pk=key, created_by=actor).first()
    if row is None:
        raise missing
    return row


def received_files(actor: User, *, upload_id: UUID | str) -> dict[str, int]:
    """Bytes received so far by relative path: where to go on after a broken connection."""
    folder = _files_of(get_upload(actor, upload_id=upload_id))
    paths = (path for path in folder.rglob("*") if path.is_file()) if folder.exists() else ()
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}


def append_part(actor: User, *, upload_id: UUID | str, path: str, offset: int, stream: Readable) -> int:
    """Append what `stream` yields to the file `path` of the upload; returns the file's size afterwards.

    path: relative to the upload's root, ignored for the upload of one file. offset: where the part begins. A part sent
    again (its answer was lost, or it broke off) replaces what is there from `offset` on; beyond the end is a Conflict.
    """
    upload = get_upload(actor, upload_id=upload_id)
    if upload.tree_digest:
        raise Conflict("This upload is complete; begin another for more files.")
    target = _files_of(upload) / (_checked_path(path) if upload.is_folder else upload.root_name)
    is_new = _open_new(upload, target)
    with target.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, 2)
        if not 0 <= offset <= size:
            message = f"The file has {size} bytes so far; continue at offset {size}, not {offset}."
            raise Conflict(message, details=[FieldError("offset", message)])
        file.truncate(offset)
        count = _pour(stream, file, room=_room_for(upload) + size - offset)
    Upload.objects.filter(pk=upload.pk).update(
        received_bytes=F("received_bytes") + count - (size - offset),
        file_count=F("file_count") + int(is_new),
        touched_at=timezone.now(),
    )
    return offset + count


def _open_new(upload: Upload, target: Path) -> bool:
    """Make room for a file that is not there yet; True where it is new."""
    if target.is_file():
        return False
    if upload.file_count >= settings.SLIPWAY_MAX_UPLOAD_FILES:
        raise LimitExceeded(
            f"An upload may have {settings.SLIPWAY_MAX_UPLOAD_FILES} files (SLIPWAY_MAX_UPLOAD_FILES). "
            "Send them as one archive, or leave some out."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise _invalid("path", "A file cannot also be a folder of the same name.") from None
    return True


def _room_for(upload: Upload) -> int:
    return int(settings.SLIPWAY_MAX_UPLOAD_BYTES) - upload.received_bytes


def _pour(stream: Readable, file: IO[bytes], *, room: int) -> int:
    """Copy in small pieces; refuses, and takes back, what is beyond the part's or the upload's limit."""
    start, count = file.seek(0, 2), 0
    while chunk := stream.read(_CHUNK_BYTES):
        count += len(chunk)
        if count > min(room, MAX_PART_BYTES):
            file.truncate(start)
            raise _too_large(room)
        file.write(chunk)
    return count


def _too_large(room: int) -> LimitExceeded:
    if room < MAX_PART_BYTES:
        limit = settings.SLIPWAY_MAX_UPLOAD_BYTES
        return LimitExceeded(
            f"An upload may have {limit:,} bytes in all (SLIPWAY_MAX_UPLOAD_BYTES); this one has more."
        )
    return LimitExceeded(f"A part may have {MAX_PART_BYTES:,} bytes; send the file in several.")


def _checked_path(path: str) -> str:
    """`path` when it stays within the upload's folder, else Invalid."""
    parts = PurePosixPath(path).parts
    is_odd = not parts or path.startswith("/") or "\0" in path or "\\" in path or ".." in parts
    if is_odd or len(parts) > _MAX_DEPTH or any(len(part.encode()) > 255 for part in parts):
        raise _invalid("path", f"{path[:200]!r} is not a path within the upload: use names separated by '/', no '..'.")
    return "/".join(parts)


def complete_upload(actor: User, *, upload_id: UUID | str, unpack: bool = False) -> Upload:
    """Store what was received as one tree; with `unpack` the one file is an archive whose content is stored.

    Completing twice gives the same. The received parts are gone afterwards, the stored tree stays.
    """
    upload = get_upload(actor, upload_id=upload_id)
    if upload.tree_digest:
        return upload
    root = _files_of(upload) if upload.is_folder else _files_of(upload) / upload.root_name
    if not root.exists():
        raise _invalid("", "The upload is empty: send at least one file before completing it.")
    tree = _store_unpacked(upload, root) if unpack else _store(asset_store(), root, upload.root_name)
    _record(upload, tree)
    _discard_parts(upload)
    return upload


def _store(store: AssetStore, root: Path, root_name: str) -> Tree:
    try:
        return store.add_tree(root, root_name=root_name, consume=True)
    except OSError as failure:
        raise _disk_trouble(failure) from failure


def _store_unpacked(upload: Upload, root: Path) -> Tree:
    """The archive's one top folder (or file) is the root; with several, the root is named as the archive is."""
    archive = root if root.is_file() else single_root(root)
    if not archive.is_file():
        raise _invalid("unpack", "Only an upload of one archive (zip, tar, tar.gz, tar.bz2, tar.xz) can be unpacked.")
    limits = UnpackLimits(max_bytes=settings.SLIPWAY_MAX_UPLOAD_BYTES, max_files=settings.SLIPWAY_MAX_UPLOAD_FILES)
    unpacked = home().upload(str(upload.pk)) / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpack_archive(archive, unpacked, limits)
    content = single_root(unpacked)
    if content.is_file() and upload.purpose == CODE:
        content = unpacked  # code is a folder, even of one script
    name = content.name if content != unpacked else _stem(archive.name)
    return _store(asset_store(), content, name)


def _stem(name: str) -> str:
    """`model.tar.gz` -> `model`."""
    for suffix in (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".txz", ".tar", ".zip"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def _record(upload: Upload, tree: Tree) -> None:
    upload.tree_digest, upload.root_name, upload.is_folder = tree.digest, tree.root_name, tree.is_folder
    upload.size_bytes, upload.file_count = tree.size_bytes, tree.file_count
    upload.save(update_fields=["tree_digest", "root_name", "is_folder", "size_bytes", "file_count", "touched_at"])


def abort_upload(actor: User, *, upload_id: UUID | str) -> None:
    """Forget the upload and the parts received; what was registered from it stays."""
    upload = get_upload(actor, upload_id=upload_id)
    _discard_parts(upload)
    upload.delete()


def upload_from_files(
    actor: User, *, files: Iterable[tuple[str, Readable]], purpose: str, root_name: str = "", unpack: bool = False
) -> Upload:
    """A whole upload from the files of a form: (relative path, stream) each, as browsers name them.

    Paths that share their first folder make that folder the root; a model's single file is the root itself; anything
    else becomes a folder named `root_name`, or after the purpose.
    """
    named = [(_checked_path(path), stream) for path, stream in files]
    if not named:
        raise _invalid("files", "Choose at least one file.")
    tops = {path.partition("/")[0] for path, _ in named}
    is_single = len(named) == 1 and "/" not in named[0][0] and (unpack or purpose == MODEL)
    has_one_folder = len(tops) == 1 and all("/" in path for path, _ in named)
    root = root_name or (tops.pop() if is_single or has_one_folder else purpose)
    upload = begin_upload(actor, purpose=purpose, root_name=root, is_folder=not is_single)
    try:
        for path, stream in named:
            relative = path.partition("/")[2] if has_one_folder else path
            _append_whole(actor, upload, relative, stream)
        return complete_upload(actor, upload_id=upload.pk, unpack=unpack)
    except BaseException:
        abort_upload(actor, upload_id=upload.pk)
        raise


def _append_whole(actor: User, upload: Upload, path: str, stream: Readable) -> None:
    """One file of any size as parts, one after the other."""
    offset, is_done = 0, False
    while not is_done:
        part = _Part(stream)
        offset = append_part(actor, upload_id=upload.pk, path=path, offset=offset, stream=part)
        is_done = part.left > 0


class _Part:
    """At most one part's bytes of a longer stream; bytes left over at the end mean the stream has ended."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.left = MAX_PART_BYTES

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(min(size, self.left)) if self.left else b""
        self.left -= len(chunk)
        return chunk


def _files_of(upload: Upload) -> Path:
    return home().upload(str(upload.pk)) / "files"


def _discard_parts(upload: Upload) -> None:
    shutil.rmtree(home().upload(str(upload.pk)), ignore_errors=True)


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, details=[FieldError(field, message)])


def _disk_trouble(failure: OSError) -> LimitExceeded:
    return LimitExceeded(
        f"The studio could not store the files: {failure.strerror or failure}. Free space on its disk."
    )
