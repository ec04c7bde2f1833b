"""How fast a guarded rollout goes back: from the answer that breaks its gate to the old split at the gateway.

Everything is real: a studio, its gateway, two deployments, callers. The new version answers well until it is told to
break. What callers see is judged here as the gate judges it, so the clock starts at the very answer that crosses the
threshold; it stops with the last answer of the new version.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.__main__ import OUT
from tests.e2e.conftest import RunningStudio, start_studio
from tests.e2e.recording import Answer, Recorder

NAME = "canary"
ROUNDS = 5
LIMIT_S = 5.0
MAX_ERROR_PERCENT, MIN_REQUESTS, WINDOW_S = 5.0, 20, 10
SCRIPT = """
import os

def init():
    pass

def run(raw_data):
    if os.path.exists(os.environ["BROKEN"]):
        raise RuntimeError("broken as asked")
    return 1
"""
PLAN = {
    "endpoint_name": NAME,
    "from": "blue",
    "to": "green",
    "stages": [{"percent": 50, "seconds": 600}],
    "gates": [{"metric": "error_rate", "max": MAX_ERROR_PERCENT}],
    "window_seconds": WINDOW_S,
    "min_requests": MIN_REQUESTS,
}


def main() -> None:
    """Measure, print, write benchmarks/out/canary.json."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    try:
        studio = start_studio(folder / "home", "--no-sample")
        try:
            recorder = prepare(studio, folder)
            seconds = [one_round(studio, recorder, folder) for _ in range(ROUNDS)]
        finally:
            studio.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"from breach to old split: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")
    what = f"from breach to the old split at the gateway, worst of {ROUNDS}, of {LIMIT_S:g} s"
    OUT.mkdir(exist_ok=True)
    rows = [{"what": what, "ratio": max(seconds) / LIMIT_S, "target": 1.0, "better": "lower"}]
    (OUT / f"{NAME}.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")


def prepare(studio: RunningStudio, folder: Path) -> Recorder:
    """An endpoint with all traffic on blue, green beside it, and who calls it."""
    studio.slipway("online-endpoint", "create", "-n", NAME)
    (folder / "src").mkdir()
    (folder / "src" / "score.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "plan.yml").write_text(json.dumps(PLAN), encoding="utf-8")
    for name in ("blue", "green"):
        document = {
            "name": name,
            "endpoint_name": NAME,
            "code_configuration": {"code": "src", "scoring_script": "score.py"},
            "environment": {"conda_file": {"dependencies": ["python=3.11", "pip"]}, "image": "any"},
            "environment_variables": {"BROKEN": str(folder / f"{name}-is-broken")},
            "request_settings": {"max_concurrent_requests_per_instance": 8},
            "instance_type": "Standard_DS2_v2",
        }
        (folder / f"{name}.yml").write_text(json.dumps(document), encoding="utf-8")
        studio.slipway("online-deployment", "create", "-f", f"{name}.yml", cwd=folder)
    studio.slipway("online-endpoint", "update", "-n", NAME, "--traffic", "blue=100")
    keys: Any = studio.slipway_json("online-endpoint", "get-credentials", "-n", NAME)
    return Recorder(studio.gateway_port, f"/{NAME}/score", keys["primaryKey"], rate=200.0)


def one_round(studio: RunningStudio, recorder: Recorder, folder: Path) -> float:
    """Start a rollout, break green, wait for the end; seconds from the breach to green's last answer."""
    recorder.answers.clear()
    begun = time.monotonic()
    with recorder.running():
        studio.slipway("online-endpoint", "rollout", "start", "-f", "plan.yml", "--no-wait", cwd=folder)
        wait_for(recorder, begun, "green", 5 * MIN_REQUESTS)
        flag = folder / "green-is-broken"
        flag.touch()
        while (shown := latest(studio))["state"] == "Running":
            time.sleep(0.2)
        time.sleep(2)
        flag.unlink()
    assert shown["reason"] == "GateBroken", shown["text"]
    answers = recorder.of("green")
    seconds = answers[-1].at - breach_at(answers)
    print(f"  {seconds:.2f} s; {sum(one.status != 200 for one in answers)} requests failed on the new version")
    return seconds


def wait_for(recorder: Recorder, since: float, deployment: str, requests: int) -> None:
    while len(recorder.of(deployment, since=since)) < requests:
        time.sleep(0.05)


def latest(studio: RunningStudio) -> dict[str, Any]:
    shown: Any = studio.slipway_json("online-endpoint", "rollout", "show", "-n", NAME)
    return dict(shown)


def breach_at(answers: list[Answer]) -> float:
    """When the error rate of the last seconds first exceeded the gate's limit, as callers saw it."""
    for number, one in enumerate(answers):
        window = [each for each in answers[: number + 1] if each.at > one.at - WINDOW_S]
        failed = sum(each.status != 200 for each in window)
        if len(window) >= MIN_REQUESTS and 100 * failed / len(window) > MAX_ERROR_PERCENT:
            return one.at
    raise AssertionError("the gate was never broken")


if __name__ == "__main__":
    main()
