"""Sending files."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoints.assets import AssetStore
from endpoints.cli import uploads
from endpoints.cli.client import StudioClient
from endpoints.cli.connection import Connection
from endpoints.cli.failures import CommandFailed, StudioUnreachable
from endpoints.cli.terminal import Terminal
from endpoints.cli.uploads import Uploader, find_files
from endpoints.spec.errors import Invalid
from tests.cli.conftest import Answer, Asked, Studio


@pytest.fixture
def uploader(studio: Studio) -> Iterator[Uploader]:
    with StudioClient(Connection(studio.url, "t")) as client:
        yield Uploader(client, Terminal(io.StringIO()), sleep=lambda _: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "deep" / "er" / "b.bin").write_bytes(b"bb")
    (root / ".hidden").write_text("")
    return root


def accept(studio: Studio, root: Path) -> None:
    """Take the files of `root`, and answer with the digest the store gives them."""
    digest = AssetStore(root.parent / "store").add_tree(root).digest
    studio.on("POST", "uploads", {"id": "u1"})
    studio.on("PUT", "uploads/u1/files", {})
    studio.on("POST", "uploads/u1/complete", {"tree_digest": digest})


def refusal(root: Path) -> str:
    with pytest.raises(Invalid) as caught:
        find_files(root, field="model.path")
    assert caught.value.details[0].field == "model.path"
    return caught.value.message


def test_a_folder_keeps_its_structure_and_hidden_files(studio: Studio, uploader: Uploader, folder: Path):
    accept(studio, folder)
    assert uploader.send(folder, purpose="model", field="path") == "u1"
    assert studio.asked[0].json == {"purpose": "model", "root_name": "model", "is_folder": True}
    parts = {asked.query["path"]: asked.body for asked in studio.sent("PUT", "uploads/u1/files")}
    assert parts == {".hidden": b"", "a.txt": b"a", "deep/er/b.bin": b"bb"}


def test_a_file_goes_in_parts_that_continue_each_other(
    studio: Studio, uploader: Uploader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(uploads, "PART_BYTES", 4)
    (tmp_path / "m.pkl").write_bytes(b"0123456789")
    accept(studio, tmp_path / "m.pkl")
    uploader.send(tmp_path / "m.pkl", purpose="model", field="path")
    parts = [(asked.query["offset"], asked.body) for asked in studio.sent("PUT", "uploads/u1/files")]
    assert parts == [("0", b"0123"), ("4", b"4567"), ("8", b"89")]


def test_a_large_file_is_never_whole_in_memory(studio: Studio, uploader: Uploader, tmp_path: Path):
    size = 200 * 1024 * 1024
    with (tmp_path / "big").open("wb") as file:
        file.truncate(size)
    digest = hashlib.sha256()

    def take(asked: Asked) -> Answer:
        digest.update(asked.body)
        studio.asked.clear()
        return 200, "application/json", b"{}"

    studio.on("POST", "uploads", {"id": "u1"})
    studio.on_call("PUT", "uploads/u1/files", take)
    studio.on(
        "POST", "uploads/u1/complete", {"tree_digest": AssetStore(tmp_path / "s").add_tree(tmp_path / "big").digest}
    )
    tracemalloc.start()
    uploader.send(tmp_path / "big", purpose="model", field="path")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One part on this side, and the server of this test has one or two as well.
    assert peak < 6 * uploads.PART_BYTES
    assert digest.hexdigest() == hashlib.sha256(bytes(size)).hexdigest()


def test_a_link_that_leads_out_is_refused_by_name(folder: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("x")
    (folder / "leak").symlink_to(tmp_path / "secret")
    assert f"{folder / 'leak'} is a link that leads out of the folder" in refusal(folder)


def test_a_link_within_is_sent_as_what_it_points_to(folder: Path):
    (folder / "again").symlink_to("a.txt")
    (folder / "deep2").symlink_to("deep")
    names = [file.relative for file in find_files(folder, field="path")]
    assert names == [".hidden", "a.txt", "again", "deep/er/b.bin", "deep2/er/b.bin"]


def test_links_that_lead_nowhere_or_in_circles_are_refused(folder: Path):
    (folder / "gone").symlink_to("nowhere")
    assert "does not exist" in refusal(folder)
    (folder / "gone").unlink()
    (folder / "deep" / "up").symlink_to("..")
    assert "a folder that contains it" in refusal(folder)


def test_what_is_no_file_is_refused_by_name(folder: Path):
    os.mkfifo(folder / "pipe")
    assert "pipe is neither a file nor a folder" in refusal(folder)


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert "holds no files" in refusal(tmp_path / "empty")
    assert "There is no file or folder" in refusal(tmp_path / "nope")


def test_a_studio_that_stored_something_else_is_noticed(studio: Studio, uploader: Uploader, folder: Path):
    accept(studio, folder)
    (folder / "a.txt").write_text("b")
    with pytest.raises(CommandFailed, match="is not what was sent"):
        uploader.send(folder, purpose="model", field="path")


def test_a_part_is_sent_again_when_the_connection_breaks(studio: Studio, uploader: Uploader, folder: Path):
    accept(studio, folder)
    studio.answers["PUT", "uploads/u1/files"].insert(0, (200, "application/json", b""))
    original, calls = uploader.client.put_part, iter([True, False, False, False, False])

    def flaky(upload_id: str, **part: Any) -> None:
        if next(calls):
            raise StudioUnreachable("broke")
        original(upload_id, **part)

    uploader.client.put_part = flaky  # type: ignore[method-assign]
    uploader.send(folder, purpose="model", field="path")
    assert len(studio.sent("PUT", "uploads/u1/files")) == 3


def test_the_progress_line_shows_how_far_it_is():
    progress = uploads._Progress(Terminal(io.StringIO()), "m", total_bytes=1024)
    progress.add(512)
    assert str(progress) == f"m  {'█' * 12}{'░' * 12}   50%  512 B of 1.0 KiB"
    assert "100%" in str(uploads._Progress(Terminal(io.StringIO()), "empty", total_bytes=0))
