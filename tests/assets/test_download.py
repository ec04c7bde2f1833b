"""Trees sent as zips that are made on the way."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from endpoints.assets import AssetStore, MissingAsset, UnpackLimits, single_root, unpack_archive
from endpoints.assets.download import iter_zip


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore(tmp_path / "blobs")


def test_a_downloaded_zip_unpacks_to_the_same_tree(store: AssetStore, tmp_path: Path):
    root = tmp_path / "model"
    (root / "a" / "empty").mkdir(parents=True)
    (root / "a" / "tool.sh").write_text("#!/bin/sh\n")
    (root / "a" / "tool.sh").chmod(0o755)
    (root / "ümlaut.txt").write_text("ü")
    tree = store.add_tree(root)
    archive = tmp_path / "model.zip"
    archive.write_bytes(b"".join(iter_zip(store, tree.digest)))
    unpack_archive(archive, tmp_path / "out", UnpackLimits())
    assert store.add_tree(single_root(tmp_path / "out")) == tree


def test_a_zip_is_sent_in_pieces_and_is_the_same_every_time(store: AssetStore):
    tree = store.add_file(io.BytesIO(b"x" * 3_000_000), root_name="big.pkl")
    pieces = list(iter_zip(store, tree.digest))
    assert max(map(len, pieces)) < 1_000_000
    assert pieces == list(iter_zip(store, tree.digest))
    assert zipfile.ZipFile(io.BytesIO(b"".join(pieces))).namelist() == ["big.pkl"]


def test_a_missing_tree_is_told_before_the_first_byte(store: AssetStore):
    with pytest.raises(MissingAsset):
        iter_zip(store, "a" * 64)
