"""The main job on one machine: from a fresh clone to a scored request, and what an idle studio takes.

Everything runs in a clone of the committed tree with an empty home, so nothing that was cached before helps.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from benchmarks.__main__ import OUT
from tests.e2e.conftest import ROOT, RunningStudio, start_studio

NAME = "main_job"
ROUNDS = 7
FIRST_PREDICTION_LIMIT_S = 90.0
START_LIMIT_S = 1.0
BUILD_LIMIT_S = 2.0
MEMORY_LIMIT_MB = 600.0
BARE_INIT = "import score; score.init()"


def main() -> None:
    """Measure, print, write benchmarks/out/main_job.json."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    rows = []
    try:
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        with fresh_start(clone, folder / "home") as (studio, seconds):
            rows.append(row("fresh clone to first prediction, of 90 s", seconds / FIRST_PREDICTION_LIMIT_S))
            time.sleep(10)
            rows.append(row("idle studio resident, of 600 MB", idle_memory_mb(studio) / MEMORY_LIMIT_MB))
            rows.append(row("create to first 200 above bare init(), of 1.0 s", start_cost_s(studio) / START_LIMIT_S))
            rows.append(row("first build above uv alone, of 2 s", build_cost_s(studio, clone) / BUILD_LIMIT_S))
        OUT.mkdir(exist_ok=True)
        (OUT / f"{NAME}.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row(what: str, ratio: float) -> dict[str, object]:
    return {"what": what, "ratio": ratio, "target": 1.0, "better": "lower"}


@contextmanager
def fresh_start(clone: Path, home: Path) -> Iterator[tuple[RunningStudio, float]]:
    """`make run` in the clone until the sample answered once; the running studio and the seconds that took."""
    begun = time.monotonic()
    studio = start_studio(
        home,
        command=("make", "--silent", "-C", str(clone), "run"),
        until="Ctrl-C stops everything.",
        within_s=600,
        more={"UV_CACHE_DIR": str(home.parent / "uv-cache"), "PIP_NO_CACHE_DIR": "1"},
    )
    try:
        status, _ = ask(studio, "sample", key_of(studio, "sample"))
        seconds = time.monotonic() - begun
        assert status == 200, f"the sample answered {status}\n{''.join(studio.output)}"
        print(f"fresh clone to first prediction: {seconds:.1f} s")
        yield studio, seconds
    finally:
        studio.stop()


# Memory ------------------------------------------------------------------------------------------------------


def idle_memory_mb(studio: RunningStudio) -> float:
    """Resident megabytes of all studio processes, models left out; prints what each takes."""
    total = 0.0
    for process in studio_processes(studio):
        name = process_name(process.cmdline())
        resident = process.memory_info().rss / 1e6
        print(f"  {name:<12} {resident:6.1f} MB resident, {process.memory_full_info().pss / 1e6:6.1f} MB proportional")
        total += resident
    print(f"  {'in all':<12} {total:6.1f} MB resident")
    return total


def studio_processes(studio: RunningStudio) -> list[psutil.Process]:
    """The launcher and what it started: every process of the session, without make, its shell and the models."""
    children = psutil.Process(studio.process.pid).children(recursive=True)
    return [child for child in children if process_name(child.cmdline()) != "other"]


def process_name(command: list[str]) -> str:
    line = " ".join(command)
    known = {
        "studio.launcher": "launcher",
        "redis-server": "redis",
        "uvicorn": "web",
        "celery worker": "worker",
        "studio.celery worker": "worker",
        "studio.beat beat": "beat",
        "endpoints.gateway.worker": "gateway",
        "endpoints.gateway": "gateway head",
    }
    return next((name for words, name in known.items() if words in line), "other")


# Start ---------------------------------------------------------------------------------------------------------


def start_cost_s(studio: RunningStudio) -> float:
    """Median of creation to first 200, less the median of importing the script and calling init(), in turns."""
    bare = bare_init(studio)
    creations, inits = [], []
    for turn in range(ROUNDS):
        inits.append(timed(bare))
        creations.append(create_and_score(studio, f"bench{turn}"))
    created, init = statistics.median(creations), statistics.median(inits)
    print(f"create to first 200: {created:.2f} s; bare init(): {init:.2f} s; above it: {created - init:.2f} s")
    return created - init


def bare_init(studio: RunningStudio) -> Callable[[], object]:
    """What `python -c "import score; score.init()"` takes in the sample's environment."""
    python = next((studio.home / "environments").glob("*/venv/bin/python"))
    staged = studio.home / "deployments" / "sample" / "blue" / "rev-1"
    code = next(staged.rglob("score.py")).parent
    model = next(staged.rglob("model/sklearn_regression_model.joblib"), None) or next(
        (studio.home / "sample").rglob("*.joblib")
    )
    environment = {**os.environ, "AZUREML_MODEL_DIR": str(model.parent.parent)}
    command = [str(python), "-c", BARE_INIT]
    return lambda: subprocess.run(command, cwd=code, env=environment, check=True)


def create_and_score(studio: RunningStudio, endpoint: str) -> float:
    """Seconds from asking for a deployment over REST to its first 200 over the gateway."""
    call(studio, "POST", "online-endpoints", {"name": endpoint})
    key = key_of(studio, endpoint)
    blue = call(studio, "GET", "online-endpoints/sample/deployments/blue")
    wanted = {name: blue[name] for name in ("model", "environment", "code_configuration", "instance_type")}
    begun = time.monotonic()
    call(
        studio,
        "POST",
        f"online-endpoints/{endpoint}/deployments",
        {"name": "blue", "endpoint_name": endpoint, **wanted},
    )
    while ask(studio, endpoint, key, deployment="blue")[0] != 200:
        time.sleep(0.01)
        assert time.monotonic() - begun < 60
    seconds = time.monotonic() - begun
    call(studio, "DELETE", f"online-endpoints/{endpoint}")
    return seconds


def ask(studio: RunningStudio, endpoint: str, key: str, *, deployment: str = "") -> tuple[int, bytes]:
    """One scoring request; the status and the body."""
    body = (ROOT / "samples" / "diabetes" / "sample-request.json").read_bytes()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if deployment:
        headers["azureml-model-deployment"] = deployment
    request = urllib.request.Request(f"{studio.gateway_url}/{endpoint}/score", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def key_of(studio: RunningStudio, endpoint: str) -> str:
    return str(call(studio, "GET", f"online-endpoints/{endpoint}/keys")["primaryKey"])


def call(studio: RunningStudio, method: str, path: str, body: object = None) -> dict[str, object]:
    """One REST call with the local command line's token."""
    connection = json.loads((studio.home / "run" / "connection.json").read_text(encoding="utf-8"))
    request = urllib.request.Request(
        f"{studio.url}/api/v1/{path}",
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"Bearer {connection['token']}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.loads(answer.read() or b"{}"))


# Build ---------------------------------------------------------------------------------------------------------


def build_cost_s(studio: RunningStudio, clone: Path) -> float:
    """Median of a first build of the sample's environment, less `uv` alone doing the same, in turns."""
    python = clone / ".venv" / "bin" / "python"
    builds, alone = [], []
    for _ in range(5):
        folder = studio.home.parent / uuid.uuid4().hex
        alone.append(timed(partial(uv_alone, studio, clone, folder / "venv")))
        builds.append(timed(partial(build_once, studio, clone, python, folder / "home")))
        shutil.rmtree(folder, ignore_errors=True)
    built, bare = statistics.median(builds), statistics.median(alone)
    print(f"first build: {built:.2f} s; uv alone: {bare:.2f} s; above it: {built - bare:.2f} s")
    return built - bare


def uv_alone(studio: RunningStudio, clone: Path, venv: Path) -> None:
    uv = clone / ".venv" / "bin" / "uv"
    environment = {**os.environ, "UV_CACHE_DIR": str(studio.home.parent / "uv-cache")}
    requirements = clone / "samples" / "diabetes" / "requirements.txt"
    subprocess.run([uv, "venv", "--quiet", "--python", "3.11", venv], env=environment, check=True)
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        venv / "bin" / "python",
        "-r",
        requirements,
        "pip",
    ]
    subprocess.run([*install, "-r", requirements, "pip"], env=environment, check=True)


def build_once(studio: RunningStudio, clone: Path, python: Path, home: Path) -> None:
    """The product's own builder in a process of its own, on an empty data folder."""
    program = (
        "import sys, yaml, pathlib\n"
        "from endpoints.environments import EnvironmentSpec, VenvBuilder\n"
        "from endpoints.spec.home import Home\n"
        "conda = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())\n"
        "VenvBuilder(Home(pathlib.Path(sys.argv[2]))).build(EnvironmentSpec(conda=conda))\n"
    )
    conda = clone / "samples" / "diabetes" / "environment" / "conda.yaml"
    environment = {**os.environ, "UV_CACHE_DIR": str(studio.home.parent / "uv-cache")}
    subprocess.run([python, "-c", program, conda, home], env=environment, cwd=clone, check=True)


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
