"""Local endpoints in containers, where an engine answers."""

from __future__ import annotations

import pytest

from endpoints.local.running import choose_backend
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.yaml_reader import read_yaml
from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.local.conftest import DEPLOYMENT, Slipway
from tests.local.test_processes import BLUE, score

pytestmark = [pytest.mark.slow, pytest.mark.docker]


@pytest.fixture(autouse=True)
def has_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine()
    monkeypatch.setenv("SLIPWAY_BASE_IMAGE", BASE_IMAGE)


def test_containers_are_chosen_where_an_engine_answers_and_the_document_is_silent(monkeypatch: pytest.MonkeyPatch):
    document = OnlineDeploymentDocument.read(read_yaml(DEPLOYMENT))
    assert choose_backend(document) == "docker"
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    assert choose_backend(document) == "process"


def test_a_container_answers_on_loopback_and_nothing_of_it_stays(slipway: Slipway):
    created = slipway("online-deployment", "create", *BLUE, "-f", "blue.yml")
    assert created.code == 0, created.err
    assert created.json["backend"] == "docker" and created.json["scoring_uri"].startswith("http://localhost:")
    assert score(created.json["scoring_uri"]) == {"who": "nobody", "model": "weights"}
    assert "init of nobody" in slipway("online-deployment", "get-logs", *BLUE).out
    assert slipway("online-deployment", "update", *BLUE, "--set", "environment_variables.WHO=me").code == 0
    invoked = slipway("online-endpoint", "invoke", "-n", "on-my-desk", "--request-file", "request.json")
    assert invoked.json["who"] == "me"
    named = {"label": ["slipway.endpoint=on-my-desk"]}
    assert len(engine().containers.list(all=True, filters=named)) == 1
    assert slipway("online-endpoint", "delete", "-n", "on-my-desk", "--yes").code == 0
    assert not engine().containers.list(all=True, filters=named)
    assert not engine().networks.list(filters=named)
