"""Archives from strangers: what may leave the destination, fill the disk or fool a later step is refused by name."""

from __future__ import annotations

import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoints.assets import UnpackLimits, single_root, unpack_archive
from endpoints.assets.unpack import is_archive
from endpoints.spec.errors import Invalid, LimitExceeded


def zipped(path: Path, *members: tuple[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def tarred(path: Path, *members: tuple[str, bytes], mode: str = "w", **fields: object) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


Pack = Callable[..., Path]
both = pytest.mark.parametrize("pack", [zipped, tarred])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_of_every_compression_are_unpacked(tmp_path: Path, out: Path, mode: str):
    archive = tarred(tmp_path / "a", ("m/a.txt", b"a"), ("m/b/c.txt", b"c"), mode=mode)
    assert unpack_archive(archive, out) == 2
    assert files(out) == {"m/a.txt": b"a", "m/b/c.txt": b"c"}
    assert single_root(out) == out / "m"


def test_a_zip_made_on_windows_is_unpacked(tmp_path: Path, out: Path):
    unpack_archive(zipped(tmp_path / "a", ("m\\b\\c.txt", b"c")), out)
    assert files(out) == {"m/b/c.txt": b"c"}


def test_several_members_at_the_top_have_no_single_root(tmp_path: Path, out: Path):
    unpack_archive(zipped(tmp_path / "a", ("a", b""), ("b", b"")), out)
    assert single_root(out) == out


@both
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a/../b"])
def test_a_member_that_leads_out_is_refused_by_name_and_leaves_nothing(
    tmp_path: Path, out: Path, pack: Pack, name: str
):
    archive = pack(tmp_path / "a", ("good.txt", b"x"), (name, b"evil"))
    with pytest.raises(Invalid, match=r"evil|a/\.\./b"):
        unpack_archive(archive, out)
    assert not out.exists()
    assert not (tmp_path / "evil").exists()


@both
def test_drive_letters_are_absolute_paths(tmp_path: Path, out: Path, pack: Pack):
    with pytest.raises(Invalid, match="absolute"):
        unpack_archive(pack(tmp_path / "a", ("C:/evil", b"")), out)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(tmp_path: Path, out: Path, kind: bytes):
    with pytest.raises(Invalid, match="'dev' is a device, pipe or socket"):
        unpack_archive(tarred(tmp_path / "a", ("dev", b""), type=kind), out)


def test_a_zipped_device_is_refused(tmp_path: Path, out: Path):
    with pytest.raises(Invalid, match="device"):
        unpack_archive(zipped(tmp_path / "a", ("dev", b""), mode=stat.S_IFCHR | 0o644), out)


@both
def test_setuid_and_writable_by_all_do_not_survive_but_executable_does(tmp_path: Path, out: Path, pack: Pack):
    if pack is zipped:
        archive = zipped(tmp_path / "a", ("tool", b"x"), mode=0o106777)
    else:
        archive = tarred(tmp_path / "a", ("tool", b"x"))
        with tarfile.open(archive, "w") as opened:
            info = tarfile.TarInfo("tool")
            info.mode = 0o6777
            opened.addfile(info)
    unpack_archive(archive, out)
    assert stat.S_IMODE((out / "tool").stat().st_mode) == 0o755


# Links


def linked(path: Path, name: str, target: str, *, kind: bytes = tarfile.SYMTYPE) -> Path:
    with tarfile.open(path, "w") as archive:
        real = tarfile.TarInfo("m/real.txt")
        real.size = 4
        archive.addfile(real, io.BytesIO(b"real"))
        link = tarfile.TarInfo(name)
        link.type, link.linkname = kind, target
        archive.addfile(link)
    return path


@pytest.mark.parametrize(
    ("target", "kind"),
    [("real.txt", tarfile.SYMTYPE), ("../m/real.txt", tarfile.SYMTYPE), ("m/real.txt", tarfile.LNKTYPE)],
)
def test_a_link_within_the_archive_becomes_a_copy(tmp_path: Path, out: Path, target: str, kind: bytes):
    unpack_archive(linked(tmp_path / "a", "m/link.txt", target, kind=kind), out)
    assert files(out)["m/link.txt"] == b"real"
    assert not (out / "m" / "link.txt").is_symlink()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "m/../../../etc/passwd", "nowhere"])
def test_a_link_out_of_the_archive_is_refused_by_name(tmp_path: Path, out: Path, target: str, kind: bytes):
    with pytest.raises(Invalid, match="link"):
        unpack_archive(linked(tmp_path / "a", "m/link.txt", target, kind=kind), out)
    assert not out.exists()


def test_nothing_is_written_through_a_link(tmp_path: Path, out: Path):
    archive = tmp_path / "a"
    with tarfile.open(archive, "w") as opened:
        link = tarfile.TarInfo("m")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        opened.addfile(link)
        file = tarfile.TarInfo("m/evil")
        opened.addfile(file)
    with pytest.raises(Invalid):
        unpack_archive(archive, out)
    assert not (tmp_path / "evil").exists()


def test_links_that_lead_to_each_other_are_refused(tmp_path: Path, out: Path):
    with tarfile.open(tmp_path / "a", "w") as opened:
        for name, target in (("x", "y"), ("y", "x")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            opened.addfile(link)
    with pytest.raises(Invalid, match="is a link"):
        unpack_archive(tmp_path / "a", out)


def test_a_zipped_link_is_judged_like_any(tmp_path: Path, out: Path):
    with pytest.raises(Invalid, match="outside the archive"):
        unpack_archive(zipped(tmp_path / "a", ("link", b"../../etc/passwd"), mode=stat.S_IFLNK | 0o777), out)


# Limits


@both
def test_size_is_counted_while_unpacking(tmp_path: Path, out: Path, pack: Pack):
    archive = pack(tmp_path / "a", ("small", b"x"), ("big", b"\0" * 5_000_000))
    with pytest.raises(LimitExceeded, match=r"larger than 1,000,000 bytes \(at member 'big'\)"):
        unpack_archive(archive, out, UnpackLimits(max_bytes=1_000_000))
    assert not out.exists()


def test_a_zip_that_lies_about_its_sizes_gains_nothing(tmp_path: Path, out: Path):
    archive = zipped(tmp_path / "a", ("big", b"\0" * 5_000_000))
    data = archive.read_bytes().replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(data)
    with pytest.raises((Invalid, LimitExceeded)):
        unpack_archive(archive, out, UnpackLimits(max_bytes=1_000_000))
    assert not out.exists()


@both
def test_members_are_counted(tmp_path: Path, out: Path, pack: Pack):
    archive = pack(tmp_path / "a", *((f"f{number}", b"") for number in range(11)))
    with pytest.raises(LimitExceeded, match="more than 10 files"):
        unpack_archive(archive, out, UnpackLimits(max_files=10))


def test_a_zip_that_announces_too_many_members_is_refused_before_they_are_read(tmp_path: Path, out: Path):
    archive = zipped(tmp_path / "a", ("m", b"x"))
    record = b"PK\x06\x06" + (44).to_bytes(8, "little") + b"\0" * 12
    record += (50_000_000).to_bytes(8, "little") * 2 + b"\0" * 16
    data = archive.read_bytes()
    at = data.index(b"PK\x05\x06")
    archive.write_bytes(data[:at] + record + data[at:])
    with pytest.raises(LimitExceeded, match="50,000,000 files"):
        unpack_archive(archive, out)


def test_copies_made_of_links_count_too(tmp_path: Path, out: Path):
    with tarfile.open(tmp_path / "a", "w") as opened:
        real = tarfile.TarInfo("real")
        real.size = 600
        opened.addfile(real, io.BytesIO(b"x" * 600))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "real"
        opened.addfile(link)
    with pytest.raises(LimitExceeded):
        unpack_archive(tmp_path / "a", out, UnpackLimits(max_bytes=1000))


def test_an_extended_header_cannot_fill_the_memory(tmp_path: Path, out: Path):
    archive = tarred(tmp_path / "a", ("x", b"0" * 3_000_000), mode="w:gz", type=tarfile.XHDTYPE)
    with pytest.raises(Invalid, match="extended header"):
        unpack_archive(archive, out)


@both
def test_overlong_names_are_refused(tmp_path: Path, out: Path, pack: Pack):
    with pytest.raises(LimitExceeded, match="too long"):
        unpack_archive(pack(tmp_path / "a", ("a" * 300, b"")), out)


# Broken and odd


@both
def test_macos_junk_is_left_out(tmp_path: Path, out: Path, pack: Pack):
    unpack_archive(
        pack(tmp_path / "a", ("m/a", b"a"), ("__MACOSX/m/._a", b"j"), ("m/.DS_Store", b"j"), ("m/._a", b"j")), out
    )
    assert files(out) == {"m/a": b"a"}


@both
def test_the_same_member_twice_is_refused(tmp_path: Path, out: Path, pack: Pack):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive = pack(tmp_path / "a", ("a", b"1"), ("a", b"2"))
    with pytest.raises(Invalid, match="'a' twice"):
        unpack_archive(archive, out)


@both
def test_a_file_where_a_folder_is_needed_is_refused(tmp_path: Path, out: Path, pack: Pack):
    with pytest.raises(Invalid, match="needs a folder"):
        unpack_archive(pack(tmp_path / "a", ("a", b"1"), ("a/b", b"2")), out)


@both
def test_a_damaged_archive_is_told_as_such(tmp_path: Path, out: Path, pack: Pack):
    archive = pack(tmp_path / "a", ("m", bytes(range(256)) * 400))
    data = bytearray(archive.read_bytes())
    data[40:600] = b"\xff" * 560
    archive.write_bytes(data if pack is zipped else data[:5000])
    with pytest.raises(Invalid, match=r"damaged|can be read"):
        unpack_archive(archive, out)
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"just text", b"\x1f\x8b" + b"\0" * 50, b"PK\x03\x04 not really"])
def test_what_is_no_archive_is_told_as_such(tmp_path: Path, out: Path, content: bytes):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Invalid, match="not a zip or tar"):
        unpack_archive(tmp_path / "a", out)
    assert not is_archive(tmp_path / "a")


def test_an_encrypted_member_is_refused(tmp_path: Path, out: Path):
    archive = zipped(tmp_path / "a", ("m", b"x"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(Invalid, match="'m' is encrypted"):
        unpack_archive(archive, out)
