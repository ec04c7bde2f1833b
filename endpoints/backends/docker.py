"""Instances as containers: a network per endpoint, read-only code and model, no privileges, the type's limits.

What exists is what the engine says, found by our labels; nothing without them is ever touched. Where the engine is a
virtual machine its containers' addresses cannot be reached from here: it must be the host's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from endpoints.assets import AssetStore
from endpoints.backends import docker_container, docker_gpus
from endpoints.backends.base import (
    DeploymentRef,
    InstanceTemplate,
    LogLine,
    ObservedInstance,
    Permanent,
    Plan,
    StartInstance,
    StopInstance,
)
from endpoints.backends.docker_console import keep_console
from endpoints.backends.docker_engine import connect, engine_errors, is_configured
from endpoints.backends.docker_networks import Networks
from endpoints.backends.instance_files import Stop, read, request_stop
from endpoints.backends.instance_logs import InstanceLogs
from endpoints.backends.staging import Stager
from endpoints.backends.troubles import part, translated
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogWriter
from endpoints.spec.states import FailureCode

_SCORING = Path(__file__).resolve().parent.parent / "scoring"
_CONFLICT = 409
_LOOK_S = 0.05
_CONSOLE_LINES = 30


class DockerBackend:
    """The compute target of a team's server."""

    name = "docker"

    def __init__(
        self,
        home: Home,
        *,
        store: AssetStore | None = None,
        client: docker.DockerClient | None = None,
        server_package: Path = _SCORING,
        remove_grace_s: float = 5.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._home, self._client, self._now, self._pause = home, client, now, pause
        self._stager = Stager(home, store or AssetStore(home.blobs), server_package=server_package)
        self._remove_grace_s = remove_grace_s
        self._studio = home.studio_id  # two studios may share an engine; each sees its own

    @property
    def client(self) -> docker.DockerClient:
        return self._client or connect()

    @property
    def _networks(self) -> Networks:
        return Networks(self.client, self._studio)

    @functools.cached_property
    def _host(self) -> Mapping[str, Any]:
        return dict(self.client.info())

    # Staging ---------------------------------------------------------------------------------------------------

    def stage(self, deployment: DeploymentRef, template: InstanceTemplate) -> None:
        with translated():
            self._stager.stage_server()
            final = self._revision(deployment, template.revision)
            if not final.exists():
                path = self._log_folder(deployment) / "storage-initializer.jsonl"
                log = LogWriter(path, logger="storage-initializer", now=self._now)
                self._stager.stage_revision(template, final, code="app", models="app/azureml-models", log=log)

    # Changing --------------------------------------------------------------------------------------------------

    def apply(self, plan: Plan) -> None:
        with translated(), engine_errors():
            for stop in plan.stop:
                self._stop(plan.deployment, stop)
            for start in plan.start:
                self.stage(plan.deployment, start.template)
                self._start(plan.deployment, start)
            self._prune(plan.deployment)

    def _start(self, deployment: DeploymentRef, start: StartInstance) -> None:
        if not start.template.runtime.image:
            raise Permanent(
                Failure(
                    code=FailureCode.BAD_ARGUMENT,
                    message="This environment was built for processes and has no image.",
                    advice="Build the environment for docker, or choose the process backend for this deployment.",
                )
            )
        container = self._container(start.instance_id) or self._made(deployment, start)
        if docker_container.is_unstarted(container.attrs):
            # What the runtime refuses is kept in the container's state, where `observe` finds it.
            with contextlib.suppress(APIError):
                container.start()

    def _made(self, deployment: DeploymentRef, start: StartInstance) -> Any:
        """The new container; where it needs GPUs, no other is given any at the same moment."""
        if not start.template.gpus:
            return self._create(deployment, start)
        self._home.root.mkdir(parents=True, exist_ok=True)
        with (self._home.root / ".gpus.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            labels = self._gpu_labels()
            gpus = docker_gpus.gpus_of(self._host)
            parts = docker_gpus.choose(start.template.gpus, gpus, docker_gpus.taken(labels))
            return self._create(deployment, start, gpus=parts)

    def _gpu_labels(self) -> list[str]:
        """What every container on this engine was given, whichever studio it belongs to."""
        wanted = {"label": [docker_gpus.LABEL], "status": ["created", "running", "paused", "restarting"]}
        return [each["Labels"][docker_gpus.LABEL] for each in self.client.api.containers(all=True, filters=wanted)]

    def gpu_room(self, gpus: float) -> int:
        """How many more instances with so many GPUs each there is room for now."""
        with engine_errors():
            given = docker_gpus.taken(self._gpu_labels())
            return docker_gpus.most_more(gpus, docker_gpus.gpus_of(self._host), given)

    def _create(
        self, deployment: DeploymentRef, start: StartInstance, *, gpus: Mapping[str, float] | None = None
    ) -> Any:
        run = self._instance(deployment, start.instance_id) / "run"
        log = self._log_folder(deployment) / start.instance_id
        for folder in (run, log):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)  # the container's user is nobody here; the folders above let nobody else through
        app = self._revision(deployment, start.template.revision) / "app"
        places = docker_container.Places(
            app=app, models=app / "azureml-models", server=self._stager.stage_server(), run=run, log=log
        )
        network = self._networks.ensure(deployment.endpoint, has_egress=start.template.has_egress)
        options = docker_container.options(start.template, places, instance_id=start.instance_id, host=self._host)
        labels = {
            **self._labels(deployment),
            "slipway.instance": start.instance_id,
            "slipway.revision": str(start.template.revision),
            "slipway.server": places.server.name,
        }
        if start.template.own_server_port:
            labels["slipway.port"] = str(start.template.own_server_port)
        if gpus:
            labels[docker_gpus.LABEL] = docker_gpus.as_label(gpus)
            options["device_requests"] = docker_gpus.device_requests(gpus)
        try:
            return self.client.containers.create(
                **options, name=self._name(start.instance_id), labels=labels, network=network
            )
        except APIError as error:
            if error.status_code != _CONFLICT or (existing := self._container(start.instance_id)) is None:
                raise
            return existing

    def _stop(self, deployment: DeploymentRef, stop: StopInstance) -> None:
        container = self._container(stop.instance_id)
        folder = self._instance(deployment, stop.instance_id)
        if container is None:
            shutil.rmtree(folder, ignore_errors=True)
        elif container.status not in {"running", "paused", "restarting"}:
            self._finish(deployment, stop.instance_id)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            request_stop(folder, self._now() + timedelta(seconds=stop.grace_s))
            with contextlib.suppress(APIError):  # it has just ended by itself
                container.kill(signal=container.attrs["Config"].get("StopSignal") or "SIGTERM")

    def _finish(self, deployment: DeploymentRef, instance_id: str) -> None:
        """End a container at once and forget it."""
        with contextlib.suppress(NotFound):
            try:
                self.client.api.remove_container(self._name(instance_id), force=True, v=True)
            except APIError as error:
                if error.status_code != _CONFLICT:  # being removed already
                    raise
        shutil.rmtree(self._instance(deployment, instance_id), ignore_errors=True)

    def remove(self, deployment: DeploymentRef) -> None:
        with translated(), engine_errors():
            deadline = time.monotonic() + self._remove_grace_s
            for container in self._containers(deployment):
                self._stop(deployment, StopInstance(container.labels["slipway.instance"], self._remove_grace_s))
            while time.monotonic() < deadline and any(c.status == "running" for c in self._containers(deployment)):
                self._pause(_LOOK_S)
            for container in self._containers(deployment):
                self._finish(deployment, container.labels["slipway.instance"])
            root = self._root(deployment)
            shutil.rmtree(root, ignore_errors=True)
            with contextlib.suppress(OSError):  # other deployments of the endpoint are still there
                root.parent.rmdir()
            self._networks.remove_idle(endpoint=deployment.endpoint)

    def _prune(self, deployment: DeploymentRef) -> None:
        """Remove staged revisions that no container runs, except the newest: it may be about to start."""
        staged = {int(path.name[4:]): path for path in self._root(deployment).glob("rev-*") if path.name[4:].isdigit()}
        in_use = {int(container.labels["slipway.revision"]) for container in self._containers(deployment)}
        for number in set(staged) - in_use - {max(staged, default=0)}:
            shutil.rmtree(staged[number], ignore_errors=True)

    def collect_garbage(self, *, grace_s: float = 3600.0) -> None:
        """Containers whose deployment has no folder here any more, networks nobody is in, copies nobody uses."""
        if self._client is None and not is_configured():
            return
        with translated(), engine_errors():
            in_use = set()
            for container in self._all(f"slipway.studio={self._studio}"):
                deployment = _owner(container.labels)
                if self._root(deployment).exists():
                    in_use.add(container.labels["slipway.server"])
                else:
                    self._finish(deployment, container.labels["slipway.instance"])
            self._networks.remove_idle()
            self._stager.collect(servers_in_use=in_use, grace_s=grace_s)

    # Observing -------------------------------------------------------------------------------------------------

    def observe(self, deployment: DeploymentRef) -> tuple[ObservedInstance, ...]:
        """See the contract. A stop whose grace is over is brought to its end here."""
        with translated(), engine_errors():
            found = (self._observe(deployment, container) for container in self._containers(deployment))
            return tuple(sorted((item for item in found if item), key=lambda item: item.instance_id))

    def observe_many(
        self, deployments: Sequence[DeploymentRef]
    ) -> Mapping[DeploymentRef, tuple[ObservedInstance, ...]]:
        """One question for all of them, and one more for each container that does not simply run."""
        with translated(), engine_errors():
            found: dict[DeploymentRef, list[ObservedInstance]] = defaultdict(list)
            labels = {"label": [f"slipway.studio={self._studio}"]}
            for summary in self.client.api.containers(all=True, filters=labels):
                deployment = _owner(summary["Labels"])
                if seen := self._glimpsed(deployment, summary):
                    found[deployment].append(seen)
            return {each: tuple(found[each]) for each in deployments}

    def _glimpsed(self, deployment: DeploymentRef, summary: Mapping[str, Any]) -> ObservedInstance | None:
        if summary["State"] == "running":
            return self._seen(deployment, docker_container.attributes_of(summary), summary["Id"])
        try:
            return self._observe(deployment, self.client.containers.get(summary["Id"]))
        except NotFound:
            return None

    def _observe(self, deployment: DeploymentRef, container: Any) -> ObservedInstance | None:
        return self._seen(deployment, container.attrs, container.id)

    def _seen(self, deployment: DeploymentRef, attributes: Mapping[str, Any], id_: str) -> ObservedInstance | None:
        labels, state = attributes["Config"]["Labels"], attributes["State"]["Status"]
        folder = self._instance(deployment, labels["slipway.instance"])
        printed = functools.partial(self.client.api.logs, id_)
        if "slipway.port" in labels:
            keep_console(printed, self._log_folder(deployment) / labels["slipway.instance"])
        stop = read(folder / "stop.json", Stop)
        if stop and (state == "exited" or self._now() >= stop.deadline):
            self._finish(deployment, labels["slipway.instance"])
            return None
        if not stop and docker_container.is_unstarted(attributes):
            return None  # whoever made it died before starting it, or is about to: not there yet, so it can be started
        return docker_container.observed(
            attributes,
            run=folder / "run",
            is_stopping=stop is not None,
            console=lambda: printed(tail=_CONSOLE_LINES).decode("utf-8", "replace").splitlines(),
        )

    def logs(
        self,
        deployment: DeploymentRef,
        *,
        instance_id: str | None = None,
        container: str = "inference-server",
        since: datetime | None = None,
        lines: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        logs = InstanceLogs(self._log_folder(deployment), instance_id=instance_id, container=container)
        return logs.follow(since=since, lines=lines) if follow else logs.read(since=since, lines=lines)

    # Names and places ------------------------------------------------------------------------------------------

    def _labels(self, deployment: DeploymentRef) -> dict[str, str]:
        return {
            "slipway.studio": self._studio,
            "slipway.endpoint": deployment.endpoint,
            "slipway.deployment": deployment.deployment,
        }

    def _name(self, instance_id: str) -> str:
        return f"slipway-{self._studio}-{instance_id}"

    def _container(self, instance_id: str) -> Any | None:
        try:
            return self.client.containers.get(self._name(instance_id))
        except NotFound:
            return None

    def _containers(self, deployment: DeploymentRef) -> list[Any]:
        return self._all(*(f"{name}={value}" for name, value in self._labels(deployment).items()))

    def _all(self, *labels: str) -> list[Any]:
        return list(self.client.containers.list(all=True, filters={"label": list(labels)}, ignore_removed=True))

    def _root(self, deployment: DeploymentRef) -> Path:
        return self._home.deployment(deployment.endpoint, deployment.deployment)

    def _revision(self, deployment: DeploymentRef, number: int) -> Path:
        return self._root(deployment) / f"rev-{number}"

    def _instance(self, deployment: DeploymentRef, instance_id: str) -> Path:
        return self._home.instance(deployment.endpoint, deployment.deployment, part(instance_id))

    def _log_folder(self, deployment: DeploymentRef) -> Path:
        return self._home.deployment_logs(deployment.endpoint, deployment.deployment)


def _owner(labels: Mapping[str, str]) -> DeploymentRef:
    return DeploymentRef(labels["slipway.endpoint"], labels["slipway.deployment"])
