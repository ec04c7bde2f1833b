"""The tutorial's main line with every instance a container, through the same command lines."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.e2e import test_tutorial as tutorial
from tests.e2e.conftest import RunningStudio, start_studio

pytestmark = [pytest.mark.slow, pytest.mark.docker]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """A studio whose instances are containers."""
    engine()
    home = tmp_path_factory.mktemp("studio") / "home"
    more = {"SLIPWAY_BACKEND": "docker", "SLIPWAY_BASE_IMAGE": BASE_IMAGE}
    running = start_studio(home, "--no-sample", more=more)
    yield running
    running.stop()


@pytest.fixture
def folder(sample_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_folder, tmp_path / "diabetes"))


@pytest.fixture
def endpoint(studio: RunningStudio, folder: Path) -> Iterator[str]:
    studio.slipway("online-endpoint", "create", "--name", tutorial.ENDPOINT, "-f", "endpoint.yml", cwd=folder)
    yield tutorial.ENDPOINT
    studio.slipway("online-endpoint", "delete", "-n", tutorial.ENDPOINT, "--yes")
    names = [
        container.name
        for container in engine().containers.list(all=True, filters={"label": label(studio)}, ignore_removed=True)
    ]
    assert names == []


def label(studio: RunningStudio) -> str:
    from endpoints.spec.home import Home

    return f"slipway.studio={Home(studio.home).studio_id}"


def test_the_tutorial_runs_on_containers(studio: RunningStudio, folder: Path, endpoint: str):
    blue = ("-name", "blue", "--endpoint", endpoint)
    tutorial.deploy_inline(studio, folder, blue)
    (container,) = engine().containers.list(filters={"label": label(studio)})
    assert container.labels["slipway.deployment"] == "blue"
    shown = studio.slipway_json("online-deployment", "show", *blue)
    assert isinstance(shown, dict) and shown["backend"] == "docker"
    assert any(BASE_IMAGE in warning for warning in shown["warnings"]), json.dumps(shown)
    nothing_of_the_studio_can_be_reached_from(container, studio)
    tutorial.register_assets(studio, folder)
    tutorial.replace_by_registered(studio, folder, blue)
    tutorial.update_the_script(studio, folder, blue)
    come_back_after_a_hand_removed_it(studio, folder, with_image=False)
    come_back_after_a_hand_removed_it(studio, folder, with_image=True)


def nothing_of_the_studio_can_be_reached_from(container: Any, studio: RunningStudio) -> None:
    """Neither web nor gateway at any address of this machine, nor a file of the studio's."""
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1)"
    own = (each.address for some in psutil.net_if_addrs().values() for each in some if each.family == socket.AF_INET)
    for host in {*own, "127.0.0.1"}:
        for port in (studio.port, studio.gateway_port):
            command = ["/opt/slipway/env/bin/python", "-c", code, host, str(port)]
            assert container.exec_run(command).exit_code != 0, (host, port)
    for place in ("secret.key", "studio.sqlite3", "run/redis.sock"):
        assert container.exec_run(["ls", str(studio.home / place)]).exit_code != 0, place


def come_back_after_a_hand_removed_it(studio: RunningStudio, folder: Path, *, with_image: bool) -> None:
    """A container that somebody removed is replaced; its image, if that went too, is built again."""
    (container,) = engine().containers.list(filters={"label": label(studio)})
    image = container.image
    container.remove(force=True)
    if with_image:
        engine().images.remove(image.id, force=True)
    deadline = time.monotonic() + 300  # an image is built again
    blue = ("-n", "blue", "-e", tutorial.ENDPOINT)
    while not (left := engine().containers.list(filters={"label": label(studio)})) or not is_answering(studio):
        assert time.monotonic() < deadline, studio.slipway("online-deployment", "show", *blue).stdout
        time.sleep(0.5)
    assert left[0].id != container.id
    assert len(tutorial.score(studio, folder)) == 2


def is_answering(studio: RunningStudio) -> bool:
    """Whether a call is answered."""
    request = ("--request-file", "sample-request.json")
    done = studio.slipway("online-endpoint", "invoke", "-n", tutorial.ENDPOINT, *request, check=False)
    return done.returncode == 0
