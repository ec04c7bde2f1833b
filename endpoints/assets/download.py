"""A stored tree as a zip that is made while it is sent: constant memory, nothing written to disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from endpoints.assets.manifest import Manifest
from endpoints.assets.store import AssetStore

_CHUNK_BYTES = 256 * 1024
# Of every entry: downloads of one tree are equal byte for byte. The oldest date a zip can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class _Outbox(io.RawIOBase):
    """What zipfile writes into; it cannot seek, so sizes follow the data."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(memoryview(data))  # type: ignore[arg-type]
        self._chunks.append(chunk)
        return len(chunk)

    def take(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)


def iter_zip(store: AssetStore, digest: str) -> Iterator[bytes]:
    """The tree as a zip, its root name as the top folder (or as the only file). Raises MissingAsset at once."""
    return _pieces(store, store.manifest(digest))


def _pieces(store: AssetStore, manifest: Manifest) -> Iterator[bytes]:
    outbox = _Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for folder in manifest.empty_folders:
            archive.writestr(zipfile.ZipInfo(f"{manifest.root}/{folder}/", _EPOCH), b"")
        for entry in manifest.entries:
            info = zipfile.ZipInfo(f"{manifest.root}/{entry.path}" if entry.path else manifest.root, _EPOCH)
            info.external_attr = (0o100755 if entry.is_executable else 0o100644) << 16
            with store.open_entry(entry) as source, archive.open(info, "w", force_zip64=True) as target:
                while chunk := source.read(_CHUNK_BYTES):
                    target.write(chunk)
                    yield outbox.take()
    yield outbox.take()
