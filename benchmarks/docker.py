"""What containers cost: a start beside plain `docker run`, a rebuild beside a build, and a sweep over many of them.

On the engine DOCKER_HOST names, with the base image that `slipway images build-base` makes.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import yaml

from benchmarks.__main__ import OUT
from benchmarks.main_job import create_and_score, row
from endpoints.environments import EnvironmentSpec
from endpoints.environments.image_builder import PYTHON_IN_IMAGE, ImageBuilder
from endpoints.spec.home import Home
from tests.e2e.conftest import SAMPLE, RunningStudio, start_studio

NAME = "docker"
STARTS, BUILDS, DEPLOYMENTS, SWEEPS = 3, 1, 50, 5
START_LIMIT_S = 1.5
REBUILD_LIMIT = 0.5
SWEEP_LIMIT_S = 1.0
ENVIRONMENT = yaml.safe_load((SAMPLE / "environment" / "conda.yaml").read_text(encoding="utf-8"))


def main() -> None:
    """Measure, print, write benchmarks/out/docker.json."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    try:
        rows = [
            row(f"create to first 200 above docker run, of {START_LIMIT_S} s", start_cost_s(folder) / START_LIMIT_S),
            {
                "what": "rebuild after one changed pip line, of a full build",
                "ratio": rebuild_ratio(folder),
                "target": REBUILD_LIMIT,
                "better": "lower",
            },
            row(f"one sweep over {DEPLOYMENTS} containers, of {SWEEP_LIMIT_S:g} s", sweep_s(folder) / SWEEP_LIMIT_S),
        ]
        (OUT / f"{NAME}.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# Start ---------------------------------------------------------------------------------------------------------


def start_cost_s(folder: Path) -> float:
    """Median of creation to first 200, less the median of `docker run` of the same image to the end of init()."""
    studio = start_studio(folder / "home", more={"SLIPWAY_BACKEND": "docker"}, within_s=300)
    try:
        runs, creations = [], []
        for turn in range(STARTS):
            runs.append(plain_run_s(studio))
            creations.append(create_and_score(studio, f"bench{turn}"))
    finally:
        studio.slipway("online-endpoint", "delete", "-n", "sample", "--yes")
        studio.stop()
    created, run = statistics.median(creations), statistics.median(runs)
    print(f"create to first 200: {created:.2f} s; docker run until init() is done: {run:.2f} s")
    return created - run


def plain_run_s(studio: RunningStudio) -> float:
    """Seconds of a container with the sample's image, code and model, to the line printed after its init()."""
    labels = [f"slipway.studio={Home(studio.home).studio_id}", "slipway.endpoint=sample"]
    (sample,) = docker.from_env().containers.list(filters={"label": labels})
    app = next(mount["Source"] for mount in sample.attrs["Mounts"] if mount["Destination"] == "/var/azureml-app")
    environment = dict(pair.split("=", 1) for pair in sample.attrs["Config"]["Env"])
    code = f"/var/azureml-app/{Path(environment['AZUREML_ENTRY_SCRIPT']).parent}"
    program = f"import sys; sys.path.insert(0, {code!r}); import score; score.init(); print('done', flush=True)"
    variables = ("-e", f"AZUREML_MODEL_DIR={environment['AZUREML_MODEL_DIR']}")
    mounted = ("-v", f"{app}:/var/azureml-app:ro", "--user", "1000:1000")
    command = ["docker", "run", "--rm", *variables, *mounted, str(sample.image.id), PYTHON_IN_IMAGE, "-c", program]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "done":
            assert process.poll() is None, "the sample's init() failed"
        return time.monotonic() - begun


# Build ---------------------------------------------------------------------------------------------------------


def rebuild_ratio(folder: Path) -> float:
    """Rebuilds with one more pip line by full builds, each of a studio that built nothing before and has no cache."""
    full, again = [], []
    for turn in range(BUILDS):
        with builder(folder / f"builds{turn}") as images:
            full.append(images.build(EnvironmentSpec(conda=ENVIRONMENT)).seconds)
            again.append(images.build(EnvironmentSpec(conda=with_line("packaging==24.1"))).seconds)
    print(f"full build: {statistics.median(full):.2f} s; after one changed line: {statistics.median(again):.2f} s")
    return statistics.median(again) / statistics.median(full)


def with_line(line: str) -> dict[str, Any]:
    pip = next(each["pip"] for each in ENVIRONMENT["dependencies"] if isinstance(each, dict))
    others = [each for each in ENVIRONMENT["dependencies"] if not isinstance(each, dict)]
    return {**ENVIRONMENT, "dependencies": [*others, {"pip": [*pip, line]}]}


@contextmanager
def builder(home: Path) -> Iterator[ImageBuilder]:
    """With a cache of its own; its images go afterwards."""
    home.mkdir(parents=True)
    images = ImageBuilder(Home(home))
    try:
        yield images
    finally:
        remove_images(Home(home).studio_id)


def remove_images(studio: str) -> None:
    client = docker.from_env()
    for image in client.images.list("slipway-environment"):
        for tag in image.tags:
            if f":{studio}-" in tag:
                client.images.remove(tag, force=True)


# Sweep ---------------------------------------------------------------------------------------------------------


def sweep_s(folder: Path) -> float:
    """Median seconds of one sweep that finds every probe due, in a process and a database of its own."""
    home = folder / "many"
    home.mkdir()
    environ = {**os.environ, "SLIPWAY_HOME": str(home), "DJANGO_SETTINGS_MODULE": "studio.settings"}
    command = [sys.executable, "-m", "benchmarks.docker", "sweep"]
    try:
        done = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    finally:
        leave_nothing(home)
    seconds = float(done.stdout.splitlines()[-1])
    print(f"one sweep over {DEPLOYMENTS} deployments: {seconds:.3f} s")
    return seconds


def leave_nothing(home: Path) -> None:
    client, studio = docker.from_env(), Home(home).studio_id
    for each in client.containers.list(all=True, filters={"label": f"slipway.studio={studio}"}):
        each.remove(force=True)
    for network in client.networks.list(filters={"label": f"slipway.studio={studio}"}):
        network.remove()
    remove_images(studio)


def measure_sweeps(home: Path) -> float:
    """Fill a studio with containers that really run, and sweep."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from benchmarks.reconcile import Clock
    from endpoints.control import waking
    from endpoints.control.sweep import sweep

    call_command("migrate", verbosity=0)
    woken: list[object] = []
    waking.wake = lambda task, *args: woken.append(args)
    fill(home)
    clock = Clock(timezone.now())
    seconds = []
    for _ in range(SWEEPS):
        clock.sleep(11)
        begun = time.perf_counter()
        sweep(clock=clock)
        seconds.append(time.perf_counter() - begun)
    assert not woken, "nothing changed, and yet there is something to do"
    return statistics.median(seconds)


def fill(home: Path) -> None:
    """Deployments of one container each, every one on an endpoint, and so in a network, of its own."""
    from endpoints.backends.base import DeploymentRef, InstanceTemplate, Phase, Plan, Runtime, StartInstance
    from endpoints.backends.docker import DockerBackend
    from endpoints.models import DeploymentRevision, Instance, OnlineDeployment, OnlineEndpoint
    from tests.backends.contract.harness import BASE_IMAGE, TINY_SERVER

    image = ImageBuilder(Home(home)).build(EnvironmentSpec(image=BASE_IMAGE)).image
    runtime = Runtime(key="k", image=image)
    template = InstanceTemplate(revision=1, runtime=runtime, model=None, code_digest="", entry_script="score.py")
    backend = DockerBackend(Home(home), server_package=TINY_SERVER)
    settled = {"observed_generation": 1, "observed_revision": 1, "ready_instances": 1}
    for number in range(DEPLOYMENTS):
        endpoint = OnlineEndpoint.objects.create(name=f"e{number:03}", observed_generation=1)
        one = OnlineDeployment.objects.create(
            endpoint=endpoint, name="blue", backend="docker", instance_type="Standard_DS3_v2", **settled
        )
        DeploymentRevision.objects.create(deployment=one, number=1, spec={"instance_type": "Standard_DS3_v2"})
        reference, name = DeploymentRef(endpoint.name, "blue"), f"blue-{uuid.uuid4().hex[:8]}"
        backend.apply(Plan(reference, start=(StartInstance(name, template),)))
    for one in OnlineDeployment.objects.select_related("endpoint"):
        reference = DeploymentRef(one.endpoint.name, "blue")
        while not (seen := backend.observe(reference)) or seen[0].phase is not Phase.RUNNING:
            time.sleep(0.05)
        Instance.objects.create(
            id=seen[0].instance_id,
            deployment=one,
            revision=1,
            generation=1,
            state="Ready",
            host=seen[0].host,
            port=seen[0].port,
            ready_at=one.created_at,
        )


if __name__ == "__main__":
    print(measure_sweeps(Path(os.environ["SLIPWAY_HOME"])))
