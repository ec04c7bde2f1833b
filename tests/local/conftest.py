"""A project folder of its own, a local home of its own, and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpoints.local.__main__ import main
from tests.cli.conftest import Ran, ran_with

SCRIPT = """\
import os

def init():
    print("init of", os.environ.get("WHO", "nobody"))

def run(raw_data):
    print("asked", raw_data)
    with open(os.environ["AZUREML_MODEL_DIR"] + "/model/m.txt") as weights:
        return {"who": os.environ.get("WHO", "nobody"), "model": weights.read()}
"""
DEPLOYMENT = """\
name: blue
endpoint_name: on-my-desk
model: {path: model}
code_configuration: {code: code, scoring_script: score.py}
environment: {conda_file: conda.yml}
instance_type: Standard_DS3_v2
instance_count: 3
"""
Slipway = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment whose environment is a bare Python, so that it is built in no time and from nothing."""
    for name, text in {
        "code/score.py": SCRIPT,
        "model/m.txt": "weights",
        "conda.yml": "dependencies: [python=3.11]\n",
        "blue.yml": DEPLOYMENT,
        "endpoint.yml": "name: on-my-desk\nauth_mode: key\ntags: {team: risk}\n",
        "request.json": '{"data": 1}',
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIPWAY_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("SLIPWAY_URL", "SLIPWAY_TOKEN", "SLIPWAY_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def slipway(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Slipway]:
    """`slipway … --local`; whatever a test leaves running is ended after it."""

    def run(*words: str) -> Ran:
        return ran_with(capsys, lambda: main(list(words)))

    yield run
    for name in run("online-endpoint", "list").json:
        run("online-endpoint", "delete", "-n", name["name"], "--yes")
