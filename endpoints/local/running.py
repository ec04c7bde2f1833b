"""One deployment brought up on this machine: environment, staging, start, the wait until it answers; and its end.

A new instance answers before the old one is stopped, and when it does not, the old one goes on.
"""

from __future__ import annotations

import contextlib
import http.client
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from endpoints.assets import AssetStore
from endpoints.backends.base import (
    Backend,
    DeploymentRef,
    InstanceTemplate,
    ObservedInstance,
    Permanent,
    Phase,
    Plan,
    Runtime,
    StartInstance,
    StopInstance,
    Temporary,
)
from endpoints.backends.registry import backend_trouble, get_backend
from endpoints.cli.documents import Draft
from endpoints.cli.failures import CommandFailed
from endpoints.cli.terminal import Terminal, seconds
from endpoints.control.failures import of_ended, with_log_tail
from endpoints.environments.builders import builder_for
from endpoints.environments.builds import BuildFailed
from endpoints.local.files import Ingredients, gather
from endpoints.local.records import LocalDeployment
from endpoints.spec.documents import OnlineDeploymentDocument, Probe
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.instance_types import find_instance_type
from endpoints.spec.loglines import LogLine
from endpoints.spec.states import FailureCode

_GIB = 1024**3
_LOOK_S = 0.05
_STOP_GRACE_S = 10.0


class Failed(Exception):
    """A change that could not be carried out; nothing of it is left running."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def choose_backend(document: OnlineDeploymentDocument) -> str:
    """The document's own choice; else containers where an engine answers, processes where none does."""
    if document.backend:
        return document.backend
    return "process" if backend_trouble("docker") else "docker"


@dataclass(frozen=True, slots=True)
class Runner:
    """What is needed to run deployments of one local home."""

    home: Home
    terminal: Terminal
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @property
    def store(self) -> AssetStore:
        return AssetStore(self.home.blobs)

    def backend(self, deployment: LocalDeployment) -> Backend:
        return get_backend(deployment.backend, self.home)

    # Up --------------------------------------------------------------------------------------------------------

    def bring_up(
        self, ref: DeploymentRef, deployment: LocalDeployment, draft: Draft, document: OnlineDeploymentDocument
    ) -> None:
        """Run what the document says in place of what ran before; fills in the record. Raises Failed."""
        with self.terminal, _told():
            ingredients = gather(self.store, draft, document)
            runtime = self._built(deployment.backend, ingredients)
            deployment.revision += 1  # also for one that fails: what was staged under a number is never changed
            template = _template(document, ingredients, runtime, revision=deployment.revision)
            backend = self.backend(deployment)
            with self._step("Stage model and code"):
                backend.stage(ref, template)
            instance_id = f"{ref.deployment}-{secrets.token_hex(4)}"
            with self._step("Start, and wait until it answers"):
                host, port = self._started(backend, ref, StartInstance(instance_id, template), document, ingredients)
            old, deployment.instance_id = deployment.instance_id, instance_id
            deployment.host, deployment.port = host, port
            config = ingredients.inference_config
            deployment.scoring_path = config.scoring_route.path if config else "/score"
            if old:
                with self._step("Stop the instance it replaces"):
                    self.stop(backend, ref, old)

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        began = self.clock()
        self.terminal.show(title, is_forced=True)
        try:
            yield
        except BaseException:
            self.terminal.mark("failed", title)
            raise
        self.terminal.mark("ok", f"{title}  {seconds(self.clock() - began)}")

    def _built(self, target: str, ingredients: Ingredients) -> Runtime:
        builder = builder_for(target, self.home)

        def log(line: LogLine) -> None:
            self.terminal.show(f"Build the environment: {line.message}")

        with self._step("Build the environment"):
            result = builder.build(ingredients.environment, log=log)
        for warning in result.warnings:
            self.terminal.say(f"Warning: {warning}")
        return Runtime(key=result.key, python=result.python, image=result.image)

    def _started(
        self,
        backend: Backend,
        ref: DeploymentRef,
        start: StartInstance,
        document: OnlineDeploymentDocument,
        ingredients: Ingredients,
    ) -> tuple[str, int]:
        """Where it answers. What does not come up is ended before this raises, also when it is interrupted."""
        is_up = False
        try:
            backend.apply(Plan(ref, start=(start,)))
            config = ingredients.inference_config
            route = config.readiness_route.path if config else "/"
            found = self._awaited(backend, ref, start.instance_id, route, document.readiness_probe)
            is_up = True
            return found
        finally:
            if not is_up:
                with contextlib.suppress(Temporary, Permanent):
                    self.stop(backend, ref, start.instance_id, grace_s=0.0)

    def _awaited(
        self, backend: Backend, ref: DeploymentRef, instance_id: str, route: str, probe: Probe
    ) -> tuple[str, int]:
        patience_s = probe.initial_delay + probe.failure_threshold * probe.period
        deadline = self.clock() + patience_s
        while self.clock() < deadline:
            one = _observed(backend, ref, instance_id)
            if one is None or one.phase is Phase.EXITED:
                raise Failed(of_ended(one or _gone(instance_id), backend, ref))
            if one.failure:
                raise Failed(with_log_tail(one.failure, instance_id, backend, ref))
            if one.port and answers(one.host, one.port, route, timeout_s=probe.timeout):
                return one.host, one.port
            self.sleep(_LOOK_S)
        failure = Failure(
            code=FailureCode.RESOURCE_NOT_READY,
            message=f"The instance did not answer {route} within {patience_s} seconds.",
            advice="Look at its log; give the readiness probe more time if init() needs it.",
        )
        raise Failed(with_log_tail(failure, instance_id, backend, ref))

    # Down ------------------------------------------------------------------------------------------------------

    def stop(self, backend: Backend, ref: DeploymentRef, instance_id: str, *, grace_s: float = _STOP_GRACE_S) -> None:
        """Ask it to end, and wait until it is gone; what it has in flight may take `grace_s` seconds."""
        backend.apply(Plan(ref, stop=(StopInstance(instance_id, grace_s),)))
        deadline = self.clock() + grace_s + 5
        while self.clock() < deadline and (one := _observed(backend, ref, instance_id)):
            if one.phase is Phase.EXITED:
                backend.apply(Plan(ref, stop=(StopInstance(instance_id, 0.0),)))
            self.sleep(_LOOK_S)

    def remove(self, ref: DeploymentRef, deployment: LocalDeployment) -> None:
        """End everything of it; nothing but its logs is left, and they go too."""
        with _told():
            self.backend(deployment).remove(ref)

    def is_alive(self, ref: DeploymentRef, deployment: LocalDeployment) -> bool:
        """Whether what was started still runs."""
        with contextlib.suppress(Temporary, Permanent):
            one = _observed(self.backend(deployment), ref, deployment.instance_id)
            return one is not None and one.phase is Phase.RUNNING
        return False


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Every way in which this machine refuses, as one failure."""
    try:
        yield
    except BuildFailed as failed:
        raise Failed(failed.failure) from failed
    except Permanent as refused:
        raise Failed(refused.failure) from refused
    except Temporary as refused:
        raise CommandFailed(f"{refused} Try again.") from refused


def _template(
    document: OnlineDeploymentDocument, ingredients: Ingredients, runtime: Runtime, *, revision: int
) -> InstanceTemplate:
    size = find_instance_type(document.instance_type)
    config = ingredients.inference_config
    return InstanceTemplate(
        revision=revision,
        runtime=runtime,
        model=ingredients.model,
        code_digest=ingredients.code_digest,
        entry_script=ingredients.entry_script,
        environment_variables=dict(document.environment_variables),
        cpu_cores=float(size.cores) if size else None,
        memory_bytes=round(size.memory_gib * _GIB) if size else None,
        max_concurrent_requests=document.request_settings.max_concurrent_requests_per_instance,
        request_timeout_ms=document.request_settings.request_timeout_ms,
        model_mount_path=document.model_mount_path,
        has_egress=document.egress_public_network_access != "disabled",
        own_server_port=config.scoring_route.port if config else 0,
        is_published=True,
    )


def _observed(backend: Backend, ref: DeploymentRef, instance_id: str) -> ObservedInstance | None:
    return next((one for one in backend.observe(ref) if one.instance_id == instance_id), None)


def _gone(instance_id: str) -> ObservedInstance:
    return ObservedInstance(instance_id, revision=0, phase=Phase.EXITED, reason="it is gone")


def answers(host: str, port: int, path: str, *, timeout_s: float) -> bool:
    """Whether a GET of the path is answered with 200 to 399."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
