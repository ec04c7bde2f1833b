"""The content-addressed store: each content once, trees whole or not at all, nothing to corrupt a blob through."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from endpoints.assets import AssetStore, MissingAsset
from endpoints.spec.errors import Invalid


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    return AssetStore(tmp_path / "blobs")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a nested file, an executable and an empty folder."""
    root = tmp_path / "model"
    (root / "weights").mkdir(parents=True)
    (root / "weights" / "a.pkl").write_bytes(b"weights")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "empty").mkdir()
    return root


def blobs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "blobs").glob("[0-9a-f][0-9a-f]/*"))


def test_a_file_lies_under_its_sha256(store: AssetStore, tmp_path: Path):
    store.add_file(io.BytesIO(b"hello"), root_name="m.pkl")
    digest = hashlib.sha256(b"hello").hexdigest()
    assert (tmp_path / "blobs" / digest[:2] / digest[2:]).read_bytes() == b"hello"


def test_the_same_content_is_stored_once(store: AssetStore, model: Path, tmp_path: Path):
    (model / "copy.pkl").write_bytes(b"weights")
    store.add_tree(model)
    store.add_file(io.BytesIO(b"weights"), root_name="other")
    assert len(blobs(tmp_path)) == 2


def test_a_tree_keeps_names_structure_and_the_executable_bit(store: AssetStore, model: Path, tmp_path: Path):
    root = store.materialise(store.add_tree(model).digest, tmp_path / "out")
    assert root == tmp_path / "out" / "model"
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*")) == [
        "empty",
        "run.sh",
        "weights",
        "weights/a.pkl",
    ]
    assert (root / "run.sh").stat().st_mode & stat.S_IXUSR
    assert not (root / "weights" / "a.pkl").stat().st_mode & stat.S_IXUSR


def test_a_single_file_keeps_its_base_name(store: AssetStore, tmp_path: Path):
    tree = store.add_file(io.BytesIO(b"x"), root_name="sklearn.pkl")
    assert (tree.root_name, tree.is_folder, tree.file_count, tree.size_bytes) == ("sklearn.pkl", False, 1, 1)
    assert store.materialise(tree.digest, tmp_path / "out") == tmp_path / "out" / "sklearn.pkl"


def test_a_tree_may_be_laid_out_under_another_name(store: AssetStore, model: Path, tmp_path: Path):
    assert store.materialise(store.add_tree(model).digest, tmp_path, name="code") == tmp_path / "code"


def test_a_digest_depends_on_content_and_names_only(store: AssetStore, model: Path):
    before = store.add_tree(model)
    os.utime(model / "run.sh", (1, 1))
    assert store.add_tree(model) == before == store.tree(before.digest)
    assert store.add_tree(model, root_name="other").digest != before.digest
    (model / "run.sh").chmod(0o644)
    assert store.add_tree(model).digest != before.digest


def test_a_big_file_is_never_held_whole(store: AssetStore):
    class Endless:
        left, largest = 64, 0

        def read(self, size: int, /) -> bytes:
            self.largest = max(self.largest, size)
            self.left -= 1
            return b"x" * size if self.left >= 0 else b""

    stream = Endless()
    assert store.add_file(stream, root_name="big").size_bytes == 64 * stream.largest
    assert stream.largest <= 4 * 1024 * 1024


def test_what_a_script_writes_into_its_copy_does_not_reach_the_store(store: AssetStore, model: Path, tmp_path: Path):
    tree = store.add_tree(model)
    (store.materialise(tree.digest, tmp_path / "out") / "run.sh").write_text("spoilt")
    assert store.verify(tree.digest) == []


def test_verify_names_what_is_damaged_or_missing(store: AssetStore, model: Path, tmp_path: Path):
    tree = store.add_tree(model)
    first, second = blobs(tmp_path)
    first.chmod(0o644)
    first.write_bytes(b"rot")
    second.unlink()
    assert sorted(store.verify(tree.digest)) == ["run.sh", "weights/a.pkl"]
    assert not store.has(tree.digest)


def test_consuming_moves_files_instead_of_copying(store: AssetStore, model: Path, tmp_path: Path):
    inode = (model / "weights" / "a.pkl").stat().st_ino
    tree = store.add_tree(model, consume=True)
    assert inode in {path.stat().st_ino for path in blobs(tmp_path)}
    assert store.verify(tree.digest) == []


def test_consuming_a_hard_link_copies_so_that_no_second_name_leads_to_the_blob(
    store: AssetStore, model: Path, tmp_path: Path
):
    os.link(model / "run.sh", tmp_path / "elsewhere")
    tree = store.add_tree(model, consume=True)
    (tmp_path / "elsewhere").write_text("spoilt")
    assert store.verify(tree.digest) == []


def test_a_link_within_the_tree_is_stored_as_what_it_points_to(store: AssetStore, model: Path):
    (model / "link.pkl").symlink_to("weights/a.pkl")
    assert store.open_file(store.add_tree(model).digest, "link.pkl").read() == b"weights"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "nowhere", "weights", "."])
def test_a_link_out_of_the_tree_or_to_no_file_is_refused_by_name(
    store: AssetStore, model: Path, tmp_path: Path, target: str
):
    (tmp_path / "secret").write_text("s")
    (model / "link").symlink_to(target)
    with pytest.raises(Invalid, match="'link' is a link that leads"):
        store.add_tree(model)


def test_a_pipe_is_refused_by_name(store: AssetStore, model: Path):
    os.mkfifo(model / "pipe")
    with pytest.raises(Invalid, match="'pipe' is not a regular file"):
        store.add_tree(model)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 300])
def test_a_root_name_must_be_able_to_name_a_file(store: AssetStore, name: str):
    with pytest.raises(Invalid):
        store.add_file(io.BytesIO(b""), root_name=name)


def test_an_uploaded_file_cannot_pose_as_a_tree(store: AssetStore, model: Path, tmp_path: Path):
    tree = store.add_tree(model)
    manifest = next((tmp_path / "blobs" / "trees").glob("*/*")).read_bytes()
    forged = manifest.replace(b'"root":"model"', b'"root":"mine_"')
    store.add_file(io.BytesIO(forged), root_name="innocent.json")
    with pytest.raises(MissingAsset):
        store.tree(hashlib.sha256(forged).hexdigest())
    assert store.has(tree.digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "Z" * 64, "a" * 63, "a" * 64])
def test_what_is_no_digest_of_ours_is_missing(store: AssetStore, digest: str):
    with pytest.raises(MissingAsset):
        store.tree(digest)


def test_a_reader_that_fails_leaves_nothing(store: AssetStore, tmp_path: Path):
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.add_file(Broken(), root_name="m")
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_many_writers_of_one_content_agree(store: AssetStore, model: Path, tmp_path: Path):
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(store.add_tree(model).digest)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert store.verify(found[0]) == []
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []


def test_a_writer_killed_in_the_middle_leaves_only_a_draft(tmp_path: Path):
    code = """
import os, pathlib, sys
from endpoints.assets import AssetStore
class Stream:
    count = 0
    def read(self, size):
        self.count += 1
        if self.count == 3: os.kill(os.getpid(), 9)
        return b"x" * size
AssetStore(pathlib.Path(sys.argv[1])).add_file(Stream(), root_name="m")
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "blobs")], check=False)
    assert done.returncode == -9
    assert blobs(tmp_path) == []
    clock = [tmp_path.stat().st_mtime + 2 * 86400]
    AssetStore(tmp_path / "blobs", now=lambda: clock[0]).collect([])
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []


# Collecting


@pytest.fixture
def clock() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def ageing(tmp_path: Path, clock: list[float]) -> AssetStore:
    return AssetStore(tmp_path / "blobs", now=lambda: clock[0])


def test_collecting_removes_what_no_live_tree_needs(ageing: AssetStore, model: Path, clock: list[float]):
    kept = ageing.add_tree(model)
    lost = ageing.add_file(io.BytesIO(b"other"), root_name="m")
    clock[0] += 7200
    collected = ageing.collect([kept.digest])
    assert (collected.file_count, collected.size_bytes > 5) == (2, True)  # the file and its manifest
    assert ageing.has(kept.digest)
    with pytest.raises(MissingAsset):
        ageing.tree(lost.digest)


def test_a_file_two_trees_share_stays_while_one_lives(ageing: AssetStore, clock: list[float]):
    kept = ageing.add_file(io.BytesIO(b"same"), root_name="a")
    ageing.add_file(io.BytesIO(b"same"), root_name="b")
    clock[0] += 7200
    ageing.collect([kept.digest])
    assert ageing.open_file(kept.digest).read() == b"same"


def test_what_was_just_stored_is_spared_until_it_can_be_recorded(ageing: AssetStore, clock: list[float]):
    tree = ageing.add_file(io.BytesIO(b"x"), root_name="a")
    clock[0] += 3000
    assert ageing.collect([]).file_count == 0
    assert ageing.has(tree.digest)


def test_storing_again_makes_an_old_file_young(ageing: AssetStore, clock: list[float]):
    tree = ageing.add_file(io.BytesIO(b"x"), root_name="a")
    clock[0] += 7200
    ageing.add_file(io.BytesIO(b"x"), root_name="a")
    clock[0] += 60
    ageing.collect([])
    assert ageing.has(tree.digest)


def test_a_live_digest_that_is_not_stored_does_not_stop_collecting(ageing: AssetStore, clock: list[float]):
    ageing.add_file(io.BytesIO(b"x"), root_name="a")
    clock[0] += 7200
    assert ageing.collect(["a" * 64]).file_count == 2
