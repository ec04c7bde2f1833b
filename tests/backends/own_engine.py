"""A Docker engine of a test's own, to be stopped, hung and filled up: beside the shared one, and in nobody's way.

It makes no firewall rules and everything it has lies on a small disk in memory. It lives in a network of its own, with
a road to its containers: an engine that does not use docker0 removes it, and would from under the shared one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import docker
import docker.errors
import requests

from endpoints.backends import docker_engine
from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.conftest import need

_DISK_MB = 400
_CONTAINERS = "10.219.0.0/16"
_PATIENCE_S = 60


class OwnEngine:
    """One dockerd over a folder; it may be started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket, self.network = folder, folder / "docker.sock", f"swt{secrets.token_hex(4)}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.host, timeout=60)

    def start(self) -> None:
        places = [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--pidfile={self.folder}/pid"]
        apart = ["--iptables=false", "--ip-masq=false", f"--default-address-pool=base={_CONTAINERS},size=24"]
        there = ["nsenter", f"--net=/run/netns/{self.network}"]
        command = [*there, "dockerd", *places, *apart, "-H", self.host]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()[
                -2000:
            ]
            time.sleep(0.1)
        docker_engine._pulse.cache_clear()

    def _answers(self) -> bool:
        try:
            return bool(docker.DockerClient(base_url=self.host, version="1.41", timeout=2).ping())
        except (docker.errors.DockerException, requests.exceptions.RequestException):
            return False

    def stop(self) -> None:
        """An orderly end: its containers end too."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(_PATIENCE_S)
            self._process = None
        docker_engine._pulse.cache_clear()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It takes connections and answers nothing; what runs in it runs on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        docker_engine._pulse.cache_clear()
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)
            docker_engine._pulse.cache_clear()

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No byte is left where it keeps images and containers."""
        ballast = self.folder / "data" / "ballast"
        with ballast.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 1024**2)
                    file.flush()
            except OSError:
                pass
        try:
            yield
        finally:
            ballast.unlink()


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """A running engine with the base image, gone afterwards with all it had."""
    shared = engine()
    is_able = all(which(name) for name in ("dockerd", "ip", "nsenter")) and os.geteuid() == 0
    need("docker", is_there=is_able, reason="an engine of one's own needs dockerd, iproute2 and root")
    folder = Path(tempfile.mkdtemp(prefix="slipway-engine-"))
    (folder / "data").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", folder / "data"], check=True)
    own = OwnEngine(folder)
    try:
        _make_network(own.network)
        own.start()
        own.client.images.load(b"".join(shared.images.get(BASE_IMAGE).save(named=BASE_IMAGE)))
        yield own
    finally:
        if own._process is not None:
            for container in own.client.containers.list(all=True, ignore_removed=True):
                container.remove(force=True)
            for network in own.client.networks.list(filters={"type": "custom"}):
                network.remove()
        own.stop()
        subprocess.run(["ip", "netns", "delete", own.network], check=False)  # and the road to it
        for mounted in sorted(_mounts_below(folder), reverse=True):
            subprocess.run(["umount", "-l", mounted], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _make_network(name: str) -> None:
    """Another host, as far as the network goes: two addresses, and a way from here to its containers."""
    here, there = f"{name}h", f"{name}c"
    within = ("ip", "-n", name)
    for command in (
        ("ip", "netns", "add", name),
        ("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name),
        ("ip", "address", "add", "10.218.0.1/30", "dev", here),
        ("ip", "link", "set", here, "up"),
        (*within, "address", "add", "10.218.0.2/30", "dev", there),
        (*within, "link", "set", there, "up"),
        (*within, "link", "set", "lo", "up"),
        (*within, "route", "add", "default", "via", "10.218.0.1"),
        ("ip", "route", "replace", _CONTAINERS, "via", "10.218.0.2"),
    ):
        subprocess.run(command, check=True)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    return [place for line in lines if (place := line.split()[1]).startswith(f"{folder}/")]
