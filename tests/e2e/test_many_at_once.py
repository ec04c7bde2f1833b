"""Ten deployments created at the same moment all come up, and their deletion leaves nothing behind."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import RunningStudio

pytestmark = [pytest.mark.slow, pytest.mark.redis]

SCRIPT = """
import os

def init():
    print("init of", os.getpid())

def run(raw_data):
    return {"pid": os.getpid(), "got": raw_data}
"""
NAMES = [f"dep{number}" for number in range(10)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("many")
    (made / "code").mkdir()
    (made / "code" / "score.py").write_text(SCRIPT, encoding="utf-8")
    (made / "requirements.txt").write_text("", encoding="utf-8")
    for name in NAMES:
        document = {
            "name": name,
            "endpoint_name": "many",
            "code_configuration": {"code": "code", "scoring_script": "score.py"},
            "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
            "instance_type": "Standard_DS2_v2",
            "instance_count": 1,
        }
        (made / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
    return made


def leftovers(studio: RunningStudio) -> list[int]:
    """Processes that run from the endpoint's folder."""
    place = str(studio.home / "deployments" / "many")
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        text = " ".join(process.info["cmdline"] or []) + str(process.info["environ"] or "")
        if place in text:
            found.append(process.pid)
    return found


def test_ten_deployments_at_once_all_succeed_and_leave_nothing(studio: RunningStudio, folder: Path):
    studio.slipway("online-endpoint", "create", "-n", "many")
    with ThreadPoolExecutor(len(NAMES)) as pool:
        done = list(
            pool.map(
                lambda name: studio.slipway(
                    "online-deployment", "create", "-f", f"{name}.yml", cwd=folder, check=False
                ),
                NAMES,
            )
        )
    assert [each.returncode for each in done] == [0] * len(NAMES), [each.stderr[-500:] for each in done]
    request = folder / "request.json"
    request.write_text("[1]", encoding="utf-8")
    pids = set()
    for name in NAMES:
        answer = studio.slipway("online-endpoint", "invoke", "-n", "many", "-d", name, "-r", str(request))
        pids.add(json.loads(answer.stdout)["pid"])
    assert len(pids) == len(NAMES)

    studio.slipway("online-endpoint", "delete", "-n", "many", "--yes")
    deadline = time.monotonic() + 30
    while leftovers(studio) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert leftovers(studio) == []
    assert not (studio.home / "deployments" / "many").exists()
