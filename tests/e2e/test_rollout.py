"""A guarded rollout with real processes under load: promoted to the end, and taken back when the new version breaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import RunningStudio, start_studio
from tests.e2e.recording import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.redis]

ENDPOINT = "guarded"
GOOD = "def init():\n    pass\n\n\ndef run(raw_data):\n    return 1\n"
# One that works at first, as the worst ones do.
BAD = """
seen = 0

def init():
    pass

def run(raw_data):
    global seen
    seen += 1
    if seen > 60:
        raise RuntimeError("the features table is gone")
    return 1
"""
# Far beyond the 5 seconds that are promised: a busy machine is no breach. `make bench NAME=canary` measures.
PATIENCE_S = 20


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    running = start_studio(tmp_path_factory.mktemp("guarded") / "home", "--no-sample")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def folder(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """blue with all traffic; green as good as it, and red, which breaks, beside it."""
    made = tmp_path_factory.mktemp("documents")
    studio.slipway("online-endpoint", "create", "-n", ENDPOINT)
    for name, script in (("blue", GOOD), ("green", GOOD), ("red", BAD)):
        (made / name).mkdir()
        (made / name / "score.py").write_text(script, encoding="utf-8")
        document = {
            "name": name,
            "endpoint_name": ENDPOINT,
            "code_configuration": {"code": name, "scoring_script": "score.py"},
            "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
            "request_settings": {"max_concurrent_requests_per_instance": 8, "request_timeout_ms": 30000},
            "instance_type": "Standard_DS2_v2",
        }
        (made / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
        studio.slipway("online-deployment", "create", "-f", f"{name}.yml", cwd=made)
    studio.slipway("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
    return made


def plan(folder: Path, new: str, *stages: dict[str, int]) -> str:
    document = {
        "endpoint_name": ENDPOINT,
        "from": "blue",
        "to": new,
        "stages": stages,
        "gates": [{"metric": "error_rate", "max": 5}],
        "window_seconds": 10,
        "min_requests": 20,
        "timeout_seconds": 120,
    }
    (folder / "plan.yml").write_text(json.dumps(document), encoding="utf-8")
    return "plan.yml"


def callers(studio: RunningStudio) -> Recorder:
    keys = studio.slipway_json("online-endpoint", "get-credentials", "-n", ENDPOINT)
    assert isinstance(keys, dict)
    return Recorder(studio.gateway_port, f"/{ENDPOINT}/score", keys["primaryKey"])


def split(studio: RunningStudio) -> dict[str, int]:
    found: Any = studio.slipway_json("online-endpoint", "show", "-n", ENDPOINT)
    return {name: share for name, share in found["traffic"].items() if share}


def test_a_version_that_breaks_is_taken_back_and_only_its_own_requests_failed(studio: RunningStudio, folder: Path):
    file = plan(folder, "red", {"percent": 50, "seconds": 100})
    with callers(studio).running() as recorder:
        ran = studio.slipway("online-endpoint", "rollout", "start", "-f", file, cwd=folder, check=False)
        # Whatever is answered from here on was asked after the old split stood again.
        told_at = recorder.answers[-1].at
        is_quiet = threading.Event()
        is_quiet.wait(3)
    assert ran.returncode == 1 and "RolledBack: ErrorPercentage" in ran.stderr
    assert "the features table is gone" in ran.stderr and "Broken  ErrorPercentage" in ran.stderr
    failures = [one for one in recorder.answers if one.status != 200]
    assert failures and {(one.deployment, one.status) for one in failures} == {("red", 424)}
    assert failures[-1].at - failures[0].at < PATIENCE_S
    assert not recorder.of("red", since=told_at + 1) and recorder.of("blue", since=told_at + 1)
    assert split(studio) == {"blue": 100}


def test_a_good_version_is_promoted_to_the_end_and_no_request_fails(studio: RunningStudio, folder: Path):
    file = plan(folder, "green", {"percent": 20, "seconds": 4}, {"percent": 100, "requests": 100})
    with callers(studio).running() as recorder:
        studio.slipway("online-endpoint", "rollout", "start", "-f", file, cwd=folder)
    assert {one.status for one in recorder.answers} == {200}
    assert recorder.of("blue") and recorder.of("green")
    assert split(studio) == {"green": 100}
    shown: Any = studio.slipway_json("online-endpoint", "rollout", "show", "-n", ENDPOINT)
    assert [stage["state"] for stage in shown["stages"]] == ["Succeeded", "Succeeded"]
    assert shown["stages"][0]["figures"]["new"]["requests"] >= 20
