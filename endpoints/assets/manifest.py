"""A tree as a value: which files lie where, by digest. Its canonical JSON is what the tree's digest is taken of.

The root keeps the base name the user gave it, so the same files under another name are another tree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

_FORMAT = 1


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, rename={"is_executable": "x", "size_bytes": "size"}):
    """One file. path: relative to the root with `/`; "" when the root itself is the file."""

    path: str
    digest: str
    size_bytes: int
    is_executable: bool = False


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """entries are sorted by path; `empty_folders` are the folders that hold no file, sorted."""

    format: int
    root: str
    folder: bool
    entries: tuple[Entry, ...]
    empty_folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known of a stored tree without reading it again."""

    digest: str
    size_bytes: int
    file_count: int
    root_name: str
    is_folder: bool


def make_manifest(root_name: str, *, is_folder: bool, entries: list[Entry], empty_folders: list[str]) -> Manifest:
    """The manifest in its one canonical order."""
    return Manifest(
        format=_FORMAT,
        root=root_name,
        folder=is_folder,
        entries=tuple(sorted(entries, key=lambda entry: entry.path.encode())),
        empty_folders=tuple(sorted(empty_folders)),
    )


def encode(manifest: Manifest) -> bytes:
    """Canonical JSON: fields in their order, no blanks."""
    return msgspec.json.encode(manifest)


def decode(data: bytes) -> Manifest:
    return msgspec.json.decode(data, type=Manifest)


def tree_of(manifest: Manifest) -> Tree:
    return Tree(
        digest=hashlib.sha256(encode(manifest)).hexdigest(),
        size_bytes=sum(entry.size_bytes for entry in manifest.entries),
        file_count=len(manifest.entries),
        root_name=manifest.root,
        is_folder=manifest.folder,
    )
