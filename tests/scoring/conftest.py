"""A real scoring server on loopback, started from a copied folder the way the process backend does it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import endpoints.scoring

WAIT_S = 20.0


class Reply:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.reason = response.reason
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class Running:
    """One server process."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process

    @property
    def status(self) -> dict[str, Any]:
        path = self.folder / "status.json"
        state: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return state

    @property
    def port(self) -> int:
        return int(self.status["port"])

    def wait_until(self, is_true: Callable[[], Any], *, within_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + within_s
        while not is_true():
            assert time.monotonic() < deadline, f"nothing of the kind happened; status {self.status}"
            time.sleep(0.01)

    def wait_for_phase(self, phase: str) -> dict[str, Any]:
        self.wait_until(lambda: self.status.get("phase") == phase)
        return self.status

    def request(self, method: str = "POST", path: str = "/score", body: bytes | str = b"", **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, names)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def score(self, value: Any = None, **headers: str) -> Reply:
        return self.request(body=json.dumps(value), **{"content_type": "application/json", **headers})

    def raw(self, data: bytes) -> bytes:
        """Everything the server says to these bytes until it closes or the client has read enough."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer

    def log(self) -> list[dict[str, Any]]:
        """The lines that are there whole; the last may still be on its way."""
        path = self.folder / "log.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def messages(self) -> list[str]:
        return [line["message"] for line in self.log()]

    def wait_for_message(self, part: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [line for line in self.log() if part in line["message"]]
            return bool(found)

        self.wait_until(is_there)
        return found[0]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds a copy of the server under another name."""
    root = tmp_path_factory.mktemp("server")
    source = Path(endpoints.scoring.__file__).parent
    shutil.copytree(source, root / "slipway_scoring", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def launch(
    folder: Path, package: Path, script: str, *arguments: str, python: str = sys.executable, **environ: str
) -> Running:
    folder.mkdir(parents=True, exist_ok=True)
    if script:
        (folder / "score.py").write_text(textwrap.dedent(script))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [python, "-m", "slipway_scoring", "--entry_script", "score.py", "--host", "127.0.0.1", "--port", "0"]
    command += ["--status-file", str(folder / "status.json"), "--log-file", str(folder / "log.jsonl"), *arguments]
    process = subprocess.Popen(command, cwd=folder, env={**kept, "PYTHONPATH": str(package), **environ})
    return Running(folder, process)


def end(running: Running) -> None:
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()


@pytest.fixture
def start(tmp_path: Path, package: Path) -> Iterator[Start]:
    """Start servers; they end with the test. `wait=False` does not wait for the script to be ready."""
    started: list[Running] = []

    def begin(script: str, *arguments: str, wait: bool = True, **options: str) -> Running:
        running = launch(tmp_path / f"app{len(started)}", package, script, *arguments, **options)
        started.append(running)
        if wait:
            running.wait_for_phase("running")
        return running

    yield begin
    for running in started:
        end(running)
