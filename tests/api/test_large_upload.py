"""Two gigabytes through the real web server: whole on the other side, never whole in memory."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from endpoints.services.uploads import MAX_PART_BYTES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SIZE_BYTES = 2 * 1024**3
MOST_BYTES_MORE = 150 * 1024**2
PATIENCE_S = 60


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[tuple[httpx.Client, int]]:
    """A web process over a data folder of its own: a client for its owner, and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"SLIPWAY_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "studio.settings"}
    environment |= {"TMPDIR": str(tmp_path), "SLIPWAY_URL": f"http://127.0.0.1:{port}"}

    def manage(*words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    manage("migrate", "-v0")
    manage("studio_bootstrap", "--connection-file", str(tmp_path / "connection.json"))
    token = json.loads((tmp_path / "connection.json").read_text())["token"]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "studio.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120, trust_env=False) as client:
        _wait_for(client)
        yield client, server.pid
    server.terminate()
    server.wait(30)


def _wait_for(client: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.get("/healthz")
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the web process does not answer"
            time.sleep(0.1)
        else:
            return


def peak_bytes(pid: int) -> int:
    """The most memory the process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else psutil.Process(pid).memory_info().rss


def test_two_gigabytes_are_received_in_bounded_memory(studio: tuple[httpx.Client, int]) -> None:
    client, pid = studio
    upload = client.post("/api/v1/uploads", json={"purpose": "model", "root_name": "big.bin"}).json()["id"]
    before, part = peak_bytes(pid), bytes(MAX_PART_BYTES)
    for offset in range(0, SIZE_BYTES, MAX_PART_BYTES):
        answer = client.put(f"/api/v1/uploads/{upload}/files", params={"offset": offset}, content=part)
        assert answer.json() == {"size_bytes": offset + MAX_PART_BYTES}
    done = client.post(f"/api/v1/uploads/{upload}/complete", json={}).json()
    assert done["size_bytes"] == SIZE_BYTES
    model = client.post("/api/v1/models", json={"name": "big", "path": f"upload:{upload}"}).json()
    assert _downloaded(client, model["version"]) >= SIZE_BYTES
    assert peak_bytes(pid) - before < MOST_BYTES_MORE


def _downloaded(client: httpx.Client, version: str) -> int:
    with client.stream("GET", f"/api/v1/models/big/versions/{version}/download") as answer:
        return sum(len(chunk) for chunk in answer.iter_raw())
