"""The local base image, made of this host's own Debian packages: no registry, no root, nothing run inside it.

It holds Python, what its packages link against, busybox for a shell, pip and this host's certificates. The image's
label says what it was made of; where that has not changed, nothing is made.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, rmtree, which
from typing import Any

import docker
import uv as uv_package
from docker.errors import DockerException, ImageNotFound

from endpoints.environments.image_map import BASE_IMAGE
from endpoints.environments.package_index import environment_for_uv
from endpoints.spec.errors import Invalid

_PACKAGES = (
    "libc6 libc-bin libgcc-s1 libcrypt1 zlib1g libssl3 libexpat1 libbz2-1.0 liblzma5 libffi8 libsqlite3-0 libuuid1 "
    "libncursesw6 libtinfo6 libreadline8 libtirpc3 libnsl2 libdb5.3 libgssapi-krb5-2 libkrb5-3 libk5crypto3 "
    "libcom-err2 libkrb5support0 libkeyutils1 libstdc++6 libgomp1 media-types netbase tzdata busybox-static "
    "python3.11 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib"
)
PACKAGES = tuple(_PACKAGES.split())
LABEL = "slipway.base"
# Raised when the same packages are to make another image.
_FORMAT = 1
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")
_APP_ID = 1000
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    f"app:x:{_APP_ID}:{_APP_ID}:app:/home/app:/bin/sh\n",
    "etc/group": f"root:x:0:\nnogroup:x:65534:\napp:x:{_APP_ID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "usr/local/bin/pip": "#!/usr/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n",
}
_FOLDERS = ("proc", "sys", "dev", "tmp", "root", "run", "home/app", "var/tmp", "usr/local/bin", "etc/ssl/certs")
_CHANGES = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    f"ENV SSL_CERT_FILE=/{_CERTIFICATES}",
    f"ENV PIP_CERT=/{_CERTIFICATES}",
    "ENV PIP_ROOT_USER_ACTION=ignore",
    "ENV PIP_DISABLE_PIP_VERSION_CHECK=1",
    'CMD ["python3"]',
)


@dataclass(frozen=True, slots=True)
class BaseImage:
    """image: its id. is_new: False where it was there already, made of the same."""

    tag: str
    image: str
    size_bytes: int
    is_new: bool


def build_base(
    *,
    tag: str = BASE_IMAGE,
    packages: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    client: docker.DockerClient | None = None,
    environ: Mapping[str, str] | None = None,
) -> BaseImage:
    """Make the image `tag`, unless it is there and made of the same.

    packages: more Debian packages, named by the caller with all they depend on. Raises Invalid where this host is
    no Debian, knows no such packages, or no engine answers.
    """
    began = time.monotonic()
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        if which(program) is None:
            raise Invalid(f"The base image is made of Debian packages, and {program} is not on this machine.")
    wanted = (*PACKAGES, *packages)
    try:
        client = client or docker.from_env()
        key = _key(wanted)
        if (found := _existing(client, tag)) and found.labels.get(LABEL) == key:
            say(f"{tag} is there, made of the same packages.")
            return _told(tag, found, is_new=False)
        with tempfile.TemporaryDirectory(prefix="slipway-base-") as scratch:
            root = Path(scratch) / "root"
            _unpack(_download(wanted, Path(scratch) / "packages", say), root, say)
            _furnish(root)
            _add_pip(root, os.environ if environ is None else environ, say)
            archive = _pack(root, Path(scratch) / "base.tar", say)
            say(f"Handing {archive.stat().st_size / 1e6:.0f} MB to the engine.")
            repository, _, version = tag.rpartition(":")
            client.api.import_image(
                src=str(archive), repository=repository, tag=version, changes=[*_CHANGES, f"LABEL {LABEL}={key}"]
            )
        image = client.images.get(tag)
    except (DockerException, OSError) as error:
        raise Invalid(f"The base image cannot be made: {error}.") from error
    say(f"Made {tag} in {time.monotonic() - began:.1f} s.")
    return _told(tag, image, is_new=True)


def _existing(client: docker.DockerClient, tag: str) -> Any | None:
    try:
        return client.images.get(tag)
    except ImageNotFound:
        return None


def _told(tag: str, image: Any, *, is_new: bool) -> BaseImage:
    return BaseImage(tag=tag, image=str(image.id), size_bytes=int(image.attrs.get("Size", 0)), is_new=is_new)


def _key(packages: Sequence[str]) -> str:
    """What the image is made of: the versions apt would take, the certificates, and our own part."""
    versions = _run(["apt-cache", "policy", *packages])
    candidates = [line for line in versions.splitlines() if line.startswith("  Candidate:") or not line[:1].isspace()]
    digest = hashlib.sha256(f"{_FORMAT}\n{_CHANGES}\n{_FILES}\n".encode())
    digest.update("\n".join(candidates).encode())
    digest.update(Path("/", _CERTIFICATES).read_bytes() if Path("/", _CERTIFICATES).exists() else b"")
    return digest.hexdigest()[:32]


def _download(packages: Sequence[str], folder: Path, say: Callable[[str], None]) -> list[Path]:
    say(f"Downloading {len(packages)} Debian packages.")
    folder.mkdir()
    # As root apt steps down to a user of its own, who may not write here.
    _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", *packages], cwd=folder)
    return sorted(folder.glob("*.deb"))


def _unpack(packages: Sequence[Path], root: Path, say: Callable[[str], None]) -> None:
    say(f"Unpacking {len(packages)} packages.")
    root.mkdir()
    for package in packages:
        _run(["dpkg-deb", "--extract", str(package), str(root)])
    for name in _LEFT_OUT:
        rmtree(root / name, ignore_errors=True)


def _furnish(root: Path) -> None:
    """Users, folders, certificates, the names Python is called by and busybox's many."""
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, content in _FILES.items():
        (root / name).write_text(content, encoding="utf-8")
    (root / "usr/local/bin/pip").chmod(0o755)
    if Path("/", _CERTIFICATES).exists():
        copyfile(Path("/", _CERTIFICATES), root / _CERTIFICATES)
    for name in ("python3", "python"):
        (root / "usr/bin" / name).unlink(missing_ok=True)
        (root / "usr/bin" / name).symlink_to("python3.11")
    (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink(missing_ok=True)
    for name in _run([str(root / "bin/busybox"), "--list"]).split():
        if not any(os.path.lexists(root / folder / name) for folder in ("bin", "usr/bin", "usr/local/bin")):
            (root / "bin" / name).symlink_to("busybox")


def _add_pip(root: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    say("Adding pip.")
    target = root / "usr/local/lib/python3.11/dist-packages"
    _run(
        [*(uv_package.find_uv_bin(), "pip", "install", "--quiet", "--target", str(target)), "--python", "3.11", "pip"],
        environ=environment_for_uv(environ),
    )
    rmtree(target / "bin", ignore_errors=True)


def _pack(root: Path, archive: Path, say: Callable[[str], None]) -> Path:
    """One archive that belongs to root, whoever unpacked it; the application's home to the application."""
    say("Packing.")

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = _APP_ID if entry.name == "./home/app" else 0
        entry.uname = entry.gname = ""
        if entry.name in ("./tmp", "./var/tmp"):
            entry.mode = 0o1777
        elif entry.name == ".":
            entry.mode = 0o755
        return entry

    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".", filter=owned)
    return archive


def _run(command: Sequence[str], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """A program's output; Invalid with its own last words when it fails."""
    environ = {**(os.environ if environ is None else environ), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Invalid(f"{Path(command[0]).name} failed: {words[-1] if words else f'exit code {done.returncode}'}")
    return done.stdout
