"""Files a person gave the wizard, as completed uploads: taking them in, finding them again, looking inside."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from endpoints import services
from endpoints.assets.store import MissingAsset
from endpoints.models import Upload
from endpoints.services.store import asset_store
from studio.access.models import User
from studio.wizards.answers import StoredUpload

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_CODE_FOLDER = "src"
# A script beyond this is data, not a script.
_MAX_SCRIPT_BYTES = 1024 * 1024


def receive(user: User, sent: Sequence[UploadedFile[Any]], purpose: str, *, is_unpacked: bool) -> StoredUpload:
    """Store the files of a multipart form. Raises what the services raise (too large, unsafe archive).

    is_unpacked: a lone archive is stored as what it holds. Code is a folder even when it is one script.
    """
    names = [file.name or "file" for file in sent]
    is_archive = is_unpacked and len(names) == 1 and names[0].lower().endswith(_ARCHIVES)
    folder = f"{_CODE_FOLDER}/" if purpose == "code" and not is_archive else ""
    pairs = [(folder + name, file) for name, file in zip(names, sent, strict=True)]
    return _stored(services.upload_from_files(user, files=pairs, purpose=purpose, unpack=is_archive))


def store_script(user: User, name: str, content: bytes) -> StoredUpload:
    """A script as a code folder of one file."""
    script = (f"{_CODE_FOLDER}/{name}", io.BytesIO(content))
    return _stored(services.upload_from_files(user, files=[script], purpose="code"))


def code_folder(user: User, upload: StoredUpload) -> StoredUpload:
    """The upload itself, or a folder around a script that was uploaded alone."""
    if upload.is_folder:
        return upload
    script = read_script(user, upload, upload.root_name)
    return store_script(user, upload.root_name, script)


def read_text(sent: UploadedFile[Any]) -> str:
    """A small text file, cut off where no list of packages is that long; what is not text shows as such."""
    content: bytes = sent.read(_MAX_SCRIPT_BYTES)
    return content.decode("utf-8-sig", errors="replace")


def find(user: User, upload_id: str, purpose: str) -> StoredUpload | None:
    """The person's own completed upload, None where there is none (any more)."""
    row = _row(user, upload_id)
    return _stored(row) if row and row.purpose == purpose and asset_store().has(row.tree_digest) else None


def tree_digest(user: User, upload_id: str) -> str:
    """Of the upload's stored tree, "" where it is gone."""
    row = _row(user, upload_id)
    return row.tree_digest if row else ""


def paths(user: User, upload_id: str) -> list[str]:
    """Every file of the upload as a path below the folder it will be laid into."""
    row = _row(user, upload_id)
    return tree_paths(row.tree_digest) if row else []


def tree_paths(digest: str) -> list[str]:
    """Every file of a stored tree, its root's name first; [] where the tree is gone."""
    try:
        manifest = asset_store().manifest(digest)
    except MissingAsset:
        return []
    return [f"{manifest.root}/{entry.path}" if entry.path else manifest.root for entry in manifest.entries]


def scripts(user: User, upload: StoredUpload) -> list[str]:
    """The upload's Python files as `scoring_script` names them: relative to the code folder."""
    row = _row(user, upload.id)
    if row is None:
        return []
    try:
        entries = asset_store().manifest(row.tree_digest).entries
    except MissingAsset:
        return []
    names = [entry.path or upload.root_name for entry in entries]
    return [name for name in names if name.endswith(".py")]


def read_script(user: User, upload: StoredUpload, name: str) -> bytes:
    """The content of one of `scripts`, cut off where no script is that long."""
    row = _row(user, upload.id)
    if row is None:
        return b""
    with asset_store().open_file(row.tree_digest, name if upload.is_folder else "") as file:
        return file.read(_MAX_SCRIPT_BYTES)


def _row(user: User, upload_id: str) -> Upload | None:
    try:
        key = UUID(upload_id)
    except ValueError:
        return None
    return Upload.objects.filter(pk=key, created_by=user).exclude(tree_digest="").first()


def _stored(row: Upload) -> StoredUpload:
    return StoredUpload(str(row.pk), row.root_name, row.is_folder, row.file_count, row.size_bytes)
