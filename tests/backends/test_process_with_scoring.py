"""Processes running the real scoring server: the two sides of the bargain together."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from endpoints.assets import AssetStore
from endpoints.backends.base import (
    InstanceTemplate,
    MountedModel,
    ObservedInstance,
    Phase,
    Plan,
    Runtime,
    StartInstance,
)
from endpoints.backends.registry import backend_names, get_backend
from endpoints.spec.errors import Invalid
from endpoints.spec.home import Home
from tests.backends.contract.harness import BLUE, Target, closing

SCRIPT = """
import json, logging, os
def init():
    global weights
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.pkl"), "rb") as file:
        weights = file.read().decode()
    print("init has read", weights)
def run(raw_data):
    logging.getLogger(__name__).info("scoring")
    return {"got": json.loads(raw_data), "weights": weights}
"""


class ScoringHarness:
    """The registry's own process backend, with the server that ships."""

    def __init__(self, folder: Path, script: str = SCRIPT) -> None:
        home = Home(folder / "home")
        store = AssetStore(home.blobs)
        self.backend = get_backend("process", home)
        self.template = InstanceTemplate(
            revision=1,
            runtime=Runtime(key="k", python=Path(sys.executable)),
            model=MountedModel("regression", "1", store.add_file(BytesIO(b"w"), root_name="model.pkl").digest),
            code_digest=store.add_file(BytesIO(script.encode()), root_name="score.py").digest,
            entry_script="score.py",
        )

    def end_from_outside(self, instance: ObservedInstance) -> None:
        raise NotImplementedError


def run(target: Target) -> ObservedInstance:
    target.backend.apply(Plan(BLUE, start=(StartInstance("blue-1", target.harness.template),)))
    return target.until(lambda found: found["blue-1"].phase in (Phase.RUNNING, Phase.EXITED))["blue-1"]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    yield from closing(Target(ScoringHarness(tmp_path)))


def test_a_request_is_scored_with_the_staged_model(target: Target):
    instance = run(target)
    url, headers = f"http://{instance.host}:{instance.port}/score", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, b'{"data": [1]}', headers)
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == {"got": {"data": [1]}, "weights": "w"}


def test_what_the_script_prints_and_logs_is_in_the_instances_log(target: Target):
    run(target)
    found = target.until(lambda _: any(line.message == "init has read w" for line in target.backend.logs(BLUE)))
    assert found["blue-1"].phase is Phase.RUNNING


def test_it_stops_when_asked(target: Target):
    run(target)
    target.stop("blue-1", grace_s=30)
    assert target.until(lambda found: not found) == {}


@pytest.mark.parametrize(
    ("script", "code", "line"),
    [
        ("import no_such_module\ndef init(): ...\ndef run(x): ...\n", "UserScriptImportError", 1),
        ("def init():\n    raise ValueError('no')\ndef run(x): ...\n", "UserScriptInitFailed", 2),
        ("def init(): ...\n", "UserScriptFunctionNotFound", None),
    ],
)
def test_a_script_that_cannot_start_is_told_precisely(tmp_path: Path, script: str, code: str, line: int | None):
    for target in closing(Target(ScoringHarness(tmp_path, script))):
        instance = run(target)
        assert instance.failure is not None
        assert (instance.exit_code, instance.failure.code, instance.failure.line) == (3, code, line)


def test_an_unknown_backend_is_refused_with_the_known_ones(tmp_path: Path):
    with pytest.raises(Invalid, match=backend_names()[0]):
        get_backend("nomad", Home(tmp_path))
