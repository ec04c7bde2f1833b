"""Uploads: parts, resumption, archives, limits."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest

from endpoints import services
from endpoints.models import Upload
from endpoints.services.store import asset_store, home
from endpoints.services.uploads import MAX_PART_BYTES
from endpoints.spec.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound
from studio.access.models import User
from tests.services import world


def begin(actor: User, *, is_folder: bool = False) -> Upload:
    return services.begin_upload(actor, purpose="model", root_name="model.bin", is_folder=is_folder)


def send(actor: User, upload: Upload, content: bytes, *, path: str = "", offset: int = 0) -> int:
    return services.append_part(actor, upload_id=upload.pk, path=path, offset=offset, stream=io.BytesIO(content))


def content_of(upload: Upload, path: str = "") -> bytes:
    with asset_store().open_file(upload.tree_digest, path) as file:
        return file.read()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_parts_become_one_file_and_nothing_is_left_behind(teammate: User) -> None:
    upload = begin(teammate)
    assert send(teammate, upload, b"abc") == 3
    assert send(teammate, upload, b"def", offset=3) == 6
    done = services.complete_upload(teammate, upload_id=upload.pk)
    assert (content_of(done), done.size_bytes, done.file_count) == (b"abcdef", 6, 1)
    assert not home().upload(str(upload.pk)).exists()


def test_completing_twice_gives_the_same(teammate: User) -> None:
    upload = begin(teammate)
    send(teammate, upload, b"abc")
    first = services.complete_upload(teammate, upload_id=upload.pk)
    assert services.complete_upload(teammate, upload_id=str(upload.pk)).tree_digest == first.tree_digest
    with pytest.raises(Conflict, match="complete"):
        send(teammate, upload, b"more", offset=3)


def test_a_part_sent_again_replaces_what_arrived_of_it(teammate: User) -> None:
    upload = begin(teammate)
    send(teammate, upload, b"abcdef")
    assert send(teammate, upload, b"DEF", offset=3) == 6
    assert services.received_files(teammate, upload_id=upload.pk) == {"model.bin": 6}
    assert services.get_upload(teammate, upload_id=upload.pk).received_bytes == 6
    assert content_of(services.complete_upload(teammate, upload_id=upload.pk)) == b"abcDEF"


def test_a_hole_is_refused_with_where_to_go_on(teammate: User) -> None:
    upload = begin(teammate)
    send(teammate, upload, b"abc")
    with pytest.raises(Conflict, match="continue at offset 3"):
        send(teammate, upload, b"x", offset=4)


def test_what_arrived_before_a_break_stays(teammate: User) -> None:
    class Broken:
        parts = [b"abc"]

        def read(self, size: int) -> bytes:
            if not self.parts:
                raise ConnectionResetError
            return self.parts.pop()

    upload = begin(teammate)
    with pytest.raises(ConnectionResetError):
        services.append_part(teammate, upload_id=upload.pk, path="", offset=0, stream=Broken())
    assert services.received_files(teammate, upload_id=upload.pk) == {"model.bin": 3}


def test_a_folder_keeps_its_structure(teammate: User) -> None:
    upload = begin(teammate, is_folder=True)
    send(teammate, upload, b"1", path="a/b.txt")
    send(teammate, upload, b"", path="empty.txt")
    done = services.complete_upload(teammate, upload_id=upload.pk)
    assert (content_of(done, "a/b.txt"), content_of(done, "empty.txt"), done.is_folder) == (b"1", b"", True)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "a\0b", "x" * 256, "a/" * 40 + "b"])
def test_no_path_leaves_the_upload(teammate: User, path: str) -> None:
    upload = begin(teammate, is_folder=True)
    with pytest.raises(Invalid) as refused:
        send(teammate, upload, b"x", path=path)
    assert refused.value.details[0].field == "path"


def test_a_file_is_no_folder_of_the_same_name(teammate: User) -> None:
    upload = begin(teammate, is_folder=True)
    send(teammate, upload, b"x", path="a")
    with pytest.raises(Invalid, match="cannot also be a folder"):
        send(teammate, upload, b"x", path="a/b")
    send(teammate, upload, b"x", path="c/d")
    with pytest.raises(Invalid, match="cannot also be a folder"):
        send(teammate, upload, b"x", path="c")


def test_a_part_beyond_its_size_is_taken_back(teammate: User) -> None:
    upload = begin(teammate)
    send(teammate, upload, b"abc")
    with pytest.raises(LimitExceeded, match="16,777,216"):
        send(teammate, upload, b"x" * (MAX_PART_BYTES + 1), offset=3)
    assert services.received_files(teammate, upload_id=upload.pk) == {"model.bin": 3}


def test_the_uploads_limits_name_themselves(teammate: User, settings: Any) -> None:
    settings.SLIPWAY_MAX_UPLOAD_BYTES, settings.SLIPWAY_MAX_UPLOAD_FILES = 10, 1
    upload = begin(teammate, is_folder=True)
    send(teammate, upload, b"12345678", path="a")
    with pytest.raises(LimitExceeded, match="SLIPWAY_MAX_UPLOAD_BYTES"):
        send(teammate, upload, b"9ab", path="a", offset=8)
    send(teammate, upload, b"12345678", path="a")  # again: it counts once
    with pytest.raises(LimitExceeded, match="SLIPWAY_MAX_UPLOAD_FILES"):
        send(teammate, upload, b"", path="b")


def test_an_archive_is_stored_unpacked_under_its_own_root(teammate: User) -> None:
    done = world.upload(teammate, {"m.zip": zipped({"forest/a.pkl": b"1", "forest/b/c.pkl": b"2"})}, unpack=True)
    assert (done.root_name, content_of(done, "b/c.pkl")) == ("forest", b"2")


def test_an_archive_of_several_roots_is_named_as_it_is(teammate: User) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("a.pkl", "b.pkl"):
            archive.addfile(tarfile.TarInfo(name))
    done = world.upload(teammate, {"forest.tar.gz": buffer.getvalue()}, unpack=True)
    assert (done.root_name, done.is_folder, done.file_count) == ("forest", True, 2)


def test_an_archive_that_escapes_leaves_nothing(teammate: User) -> None:
    with pytest.raises(Invalid):
        world.upload(teammate, {"m.zip": zipped({"../../evil": b"1"})}, unpack=True)
    assert not Upload.objects.exists()


def test_code_is_a_folder_even_of_one_script(teammate: User) -> None:
    alone = world.upload(teammate, {"score.py": world.SCRIPT}, purpose="code")
    packed = world.upload(teammate, {"c.zip": zipped({"score.py": world.SCRIPT})}, purpose="code", unpack=True)
    assert alone.is_folder and packed.is_folder
    assert content_of(alone, "score.py") == content_of(packed, "score.py") == world.SCRIPT


def test_files_of_a_form_share_the_folder_they_came_from(teammate: User) -> None:
    done = world.upload(teammate, {"forest/a.pkl": b"1", "forest/sub/b.pkl": b"2"})
    assert (done.root_name, content_of(done, "sub/b.pkl")) == ("forest", b"2")


def test_an_empty_upload_is_not_completed(teammate: User) -> None:
    with pytest.raises(Invalid, match="empty"):
        services.complete_upload(teammate, upload_id=begin(teammate).pk)


def test_an_upload_is_its_creators_alone(teammate: User, owner: User) -> None:
    upload = begin(teammate)
    for call in (services.get_upload, services.complete_upload, services.abort_upload):
        with pytest.raises(NotFound):
            call(owner, upload_id=upload.pk)
    services.abort_upload(teammate, upload_id=upload.pk)
    assert not Upload.objects.exists()


def test_who_may_register_nothing_may_send_nothing(reader: User) -> None:
    with pytest.raises(Forbidden, match="models/write"):
        begin(reader)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0"])
def test_a_root_has_a_name_of_its_own(teammate: User, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        services.begin_upload(teammate, purpose="model", root_name=name, is_folder=True)
    assert refused.value.details[0].field == "root_name"
