"""A studio that really runs: every process, on free ports, with a data folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import need

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "diabetes"
PASSWORD = "correct-horse-battery"


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningStudio:
    """Handles of a studio started by `start_studio`."""

    home: Path
    port: int
    gateway_port: int
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def gateway_url(self) -> str:
        return f"http://localhost:{self.gateway_port}"

    @property
    def environment(self) -> dict[str, str]:
        return studio_environment(self.home, self.port, self.gateway_port)

    def slipway(
        self, *arguments: str, cwd: Path = SAMPLE, check: bool = True, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line against this studio."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("slipway")), *arguments],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"slipway {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done

    def slipway_json(self, *arguments: str, cwd: Path = SAMPLE) -> object:
        """The same, with its output parsed."""
        return json.loads(self.slipway(*arguments, "-o", "json", cwd=cwd).stdout)

    def stop(self) -> None:
        """Ctrl-C, which a terminal sends to every process of the group, and wait for the end."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(60)


def studio_environment(home: Path, port: int, gateway_port: int) -> dict[str, str]:
    """What a child needs to be, or to find, the studio on `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "DJANGO_"))}
    return {
        **kept,
        "HOME": str(home.parent / "empty-home"),
        "SLIPWAY_HOME": str(home),
        "SLIPWAY_PORT": str(port),
        "SLIPWAY_GATEWAY_PORT": str(gateway_port),
        "SLIPWAY_ADMIN_PASSWORD": PASSWORD,
    }


def slipway_alone(*arguments: str, cwd: Path, more: Mapping[str, str]) -> str:
    """Run the command line where no studio need be; returns what it answered."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "DJANGO_"))}
    program = str(Path(sys.executable).with_name("slipway"))
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env={**kept, **more}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"slipway {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def start_studio(
    home: Path,
    *flags: str,
    ports: tuple[int, int] | None = None,
    more: Mapping[str, str] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "studio.launcher"),
    until: str = "Ctrl-C stops everything.",
    within_s: float = 120,
) -> RunningStudio:
    """Start a studio and return when it has printed `until`."""
    port, gateway_port = ports or (free_port(), free_port())
    (home.parent / "empty-home").mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*command, *flags],
        cwd=ROOT,
        env={**studio_environment(home, port, gateway_port), **(more or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    studio = RunningStudio(home, port, gateway_port, process)
    is_there = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            studio.output.append(line)
            if until in line:
                is_there.set()
        is_there.set()

    threading.Thread(target=read, daemon=True).start()
    is_there.wait(within_s)
    if not any(until in line for line in studio.output):
        studio.stop()
        pytest.fail(f"the studio did not start:\n{''.join(studio.output)}")
    return studio


def remove_images(home: Path) -> None:
    """Take the images of the studio on `home` off the engine, if there is one; mlflow makes most of a gigabyte."""
    import docker
    import docker.errors

    from endpoints.spec.home import Home

    ours = f"slipway-environment:{Home(home).studio_id}-"
    try:
        client = docker.from_env(timeout=600)  # a great many small files
        tags = [tag for image in client.images.list("slipway-environment") for tag in image.tags]
    except docker.errors.DockerException:
        return
    for tag in tags:
        if tag.startswith(ours):
            client.images.remove(tag, force=True)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """One studio without the sample, shared by the tests of a run."""
    running = start_studio(tmp_path_factory.mktemp("studio") / "home", "--no-sample")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of samples/diabetes with its model trained, as `make sample` leaves it."""
    import shutil

    folder = tmp_path_factory.mktemp("sample") / "diabetes"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("model"))
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [
            *(str(uv), "run", "--quiet", "--no-project", "--python", sys.executable),
            *("--with-requirements", str(folder / "requirements.txt")),
            *("python", str(folder / "train.py"), str(folder / "model")),
        ],
        check=True,
        timeout=300,
    )
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with the module: a running Playwright would keep other tests from the database."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    need("browser", bool(path), "no Chromium on PATH; apt-get install chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
