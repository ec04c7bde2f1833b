"""Images that bring their own server: nginx of Debian packages, in an image built from a build context."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from endpoints.assets import AssetStore
from endpoints.backends.base import ObservedInstance, Phase, Runtime
from endpoints.environments import EnvironmentSpec
from endpoints.environments.image_builder import ImageBuilder
from endpoints.spec.home import Home
from tests.backends.contract.harness import BASE_IMAGE, BLUE, DockerHarness, Target, closing, engine
from tests.backends.nginx_image import build_context, nginx_base

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from nginx_base("slipway-test-nginx:latest", tmp_path_factory.mktemp("nginx"))


@pytest.fixture
def target(tmp_path: Path, nginx: str) -> Iterator[Target]:
    harness = DockerHarness(tmp_path)
    home = Home(tmp_path / "home")
    context = build_context(tmp_path / "context", base=nginx)
    digest = AssetStore(home.blobs).add_tree(context).digest
    spec = EnvironmentSpec(context_digest=digest, dockerfile_path="Dockerfile", has_own_server=True)
    image = ImageBuilder(home, client=engine()).build(spec).image
    harness.template = replace(
        harness.template,
        runtime=Runtime(key="n", image=image),
        code_digest="",
        own_server_port=8080,
        model_mount_path="/models",
    )
    yield from closing(Target(harness))


def is_running(found: dict[str, ObservedInstance]) -> bool:
    return bool(found) and all(each.phase is Phase.RUNNING for each in found.values())


def get(host: str, port: int, path: str) -> str:
    """The answer, once the server has opened its port."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_nginx_answers_on_its_own_routes_and_reads_the_model_where_it_was_asked_for(target: Target):
    target.start("blue-1")
    (nginx,) = target.until(is_running).values()
    assert nginx.port == 8080
    assert get(nginx.host, 8080, "/v1/predict") == '{"prediction": 42}'
    assert get(nginx.host, 8081, "/health") == "ok"
    assert get(nginx.host, 8080, "/models/regression/3/model.pkl") == "weights"
    target.observed()
    assert any("GET /v1/predict" in line.message for line in target.backend.logs(BLUE))


def test_its_lines_are_kept_once_however_often_one_looks(target: Target):
    target.start("blue-1")
    (nginx,) = target.until(is_running).values()
    get(nginx.host, 8080, "/v1/predict")
    for _ in range(3):
        target.observed()
    assert sum("GET /v1/predict" in line.message for line in target.backend.logs(BLUE)) == 1


def test_a_server_that_cannot_start_says_why(target: Target):
    template = replace(target.harness.template, runtime=Runtime(key="b", image=BASE_IMAGE))
    target.harness.template = template
    target.start("blue-1")
    ended = target.until(lambda found: all(each.phase is Phase.EXITED for each in found.values()))["blue-1"]
    assert ended.phase is Phase.EXITED
