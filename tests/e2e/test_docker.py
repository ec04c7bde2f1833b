"""The tutorial's main line with every instance a container, through the same command lines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

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
    names = [container.name for container in engine().containers.list(all=True, filters={"label": label(studio)})]
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
    tutorial.register_assets(studio, folder)
    tutorial.replace_by_registered(studio, folder, blue)
    tutorial.update_the_script(studio, folder, blue)
