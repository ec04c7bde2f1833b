"""What the contract suite needs of a compute target: a template, a way to misbehave, a way to wait."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Protocol

import docker
import docker.errors

from endpoints.assets import AssetStore
from endpoints.backends.base import (
    Backend,
    DeploymentRef,
    InstanceTemplate,
    MountedModel,
    ObservedInstance,
    Plan,
    Runtime,
    StartInstance,
    StopInstance,
)
from endpoints.backends.docker import DockerBackend
from endpoints.backends.fake import FakeBackend, Script
from endpoints.backends.process import ProcessBackend
from endpoints.environments import EnvironmentSpec
from endpoints.environments.image_builder import ImageBuilder
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.states import FailureCode
from tests.conftest import need

BASE_IMAGE = os.environ.get("SLIPWAY_TEST_BASE_IMAGE", "slipway-base:py3.11")
BLUE = DeploymentRef("sample", "blue")
GREEN = DeploymentRef("sample", "green")
TINY_SERVER = Path(__file__).resolve().parent.parent / "tiny_server"


class Harness(Protocol):
    template: InstanceTemplate

    @property
    def backend(self) -> Backend: ...

    def end_from_outside(self, instance: ObservedInstance) -> None: ...


class Target:
    """A harness with the verbs that read well in tests."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.backend = harness, harness.backend
        self.is_real = not isinstance(harness.backend, FakeBackend)  # somebody listens where it says

    def template(self, behaviour: str = "", *, revision: int = 1) -> InstanceTemplate:
        variables = {"BEHAVIOUR": behaviour} if behaviour else {}
        return replace(self.harness.template, environment_variables=variables, revision=revision)

    def start(self, *ids: str, behaviour: str = "", revision: int = 1, deployment: DeploymentRef = BLUE) -> None:
        template = self.template(behaviour, revision=revision)
        self.backend.stage(deployment, template)
        self.backend.apply(Plan(deployment, start=tuple(StartInstance(id_, template) for id_ in ids)))

    def stop(self, *ids: str, grace_s: float = 5.0, deployment: DeploymentRef = BLUE) -> None:
        self.backend.apply(Plan(deployment, stop=tuple(StopInstance(id_, grace_s) for id_ in ids)))

    def observed(self, deployment: DeploymentRef = BLUE) -> dict[str, ObservedInstance]:
        return {instance.instance_id: instance for instance in self.backend.observe(deployment)}

    def until(
        self, is_reached: Callable[[dict[str, ObservedInstance]], bool], *, deployment: DeploymentRef = BLUE
    ) -> dict[str, ObservedInstance]:
        """Look until `is_reached`; an assertion that shows the last look when it never is."""
        deadline = time.monotonic() + 20
        while not is_reached(found := self.observed(deployment)):
            assert time.monotonic() < deadline, f"still {found}"
            time.sleep(0.01)
        return found


class FakeHarness:
    """Time goes by in steps of a second a look."""

    def __init__(self, folder: Path) -> None:
        self.backend = FakeBackend(script=_script_for)
        self.template = InstanceTemplate(
            revision=1, runtime=Runtime(key="k"), model=None, code_digest="", entry_script="score.py"
        )

    def end_from_outside(self, instance: ObservedInstance) -> None:
        self.backend.crash(BLUE, instance.instance_id, exit_code=-9)


def _script_for(_: DeploymentRef, start: StartInstance) -> Script:
    failure = Failure(
        code=FailureCode.USER_SCRIPT_INIT_FAILED, message="init() raised ValueError: no", file="score.py", line=3
    )
    return {
        "init-fails": Script(exit_code=3, failure=failure),
        "exits": Script(exit_code=7, lives_s=0.1),
        "slow": Script(starts_in_s=60),
        "deaf": Script(stops_in_s=60),
    }.get(start.template.environment_variables.get("BEHAVIOUR", ""), Script())


class ProcessHarness:
    """Real processes running the tiny server on this very Python."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder / "home")
        store = AssetStore(home.blobs)
        (folder / "code").mkdir()
        (folder / "code" / "score.py").write_text("def init(): ...\ndef run(data): return data\n")
        self.backend = ProcessBackend(home, server_package=TINY_SERVER, remove_grace_s=1.0)
        self.template = InstanceTemplate(
            revision=1,
            runtime=Runtime(key="k", python=Path(sys.executable)),
            model=MountedModel("regression", "3", store.add_file(BytesIO(b"weights"), root_name="model.pkl").digest),
            code_digest=store.add_tree(folder / "code").digest,
            entry_script="score.py",
        )

    def end_from_outside(self, instance: ObservedInstance) -> None:
        assert instance.pid is not None
        os.kill(instance.pid, signal.SIGKILL)


class DockerHarness:
    """Real containers of a bare environment, running the tiny server. Skipped without an engine and its base image."""

    def __init__(self, folder: Path) -> None:
        client = engine()
        home = Home(folder / "home")
        store = AssetStore(home.blobs)
        (folder / "code").mkdir()
        (folder / "code" / "score.py").write_text("def init(): ...\ndef run(data): return data\n")
        image = ImageBuilder(home, client=client).build(EnvironmentSpec(image=BASE_IMAGE)).image
        self.backend = DockerBackend(home, client=client, server_package=TINY_SERVER, remove_grace_s=1.0)
        self.template = InstanceTemplate(
            revision=1,
            runtime=Runtime(key="k", image=image),
            model=MountedModel("regression", "3", store.add_file(BytesIO(b"weights"), root_name="model.pkl").digest),
            code_digest=store.add_tree(folder / "code").digest,
            entry_script="score.py",
            memory_bytes=256 * 1024**2,
            cpu_cores=1,
        )

    def end_from_outside(self, instance: ObservedInstance) -> None:
        assert instance.pid is not None
        os.kill(instance.pid, signal.SIGKILL)


def engine() -> docker.DockerClient:
    """The engine DOCKER_HOST names, with the base image that tests build on."""
    try:
        client = docker.from_env(timeout=30)
        has_base = bool(client.images.list(BASE_IMAGE))
    except docker.errors.DockerException as error:
        need("docker", is_there=False, reason=f"no engine answers ({error})")
        raise
    need("docker", is_there=has_base, reason=f"the engine has no image {BASE_IMAGE}")
    return client


def closing(target: Target) -> Iterator[Target]:
    """Give the target to a test and leave nothing of it."""
    try:
        yield target
    finally:
        for deployment in (BLUE, GREEN):
            target.backend.remove(deployment)
