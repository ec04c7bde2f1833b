"""Models, code and build contexts on disk: each file once, by content; trees as manifests; archives unpacked safely.

Knows folders and bytes only: no records, no users, no versions.
"""

from endpoints.assets.manifest import Entry, Tree
from endpoints.assets.store import AssetStore, Collected, MissingAsset
from endpoints.assets.unpack import UnpackLimits, single_root, unpack_archive

__all__ = [
    "AssetStore",
    "Collected",
    "Entry",
    "MissingAsset",
    "Tree",
    "UnpackLimits",
    "single_root",
    "unpack_archive",
]
