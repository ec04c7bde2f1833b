"""Instances as processes on this host: detached, each in a session of its own, found again by what lies on disk.

They outlive the worker that started them. It isolates nothing: for code you trust. Nothing is remembered in memory;
an instance is its folder, and every question is answered from there and from the kernel.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from endpoints.assets import AssetStore
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
from endpoints.backends.instance_logs import InstanceLogs
from endpoints.backends.process_identity import MARKER, marked_processes
from endpoints.backends.process_instance import InstanceFolder, Record, boot_id
from endpoints.backends.process_launch import base_environment, launch, launch_lock
from endpoints.backends.staging import SERVER_MODULE, Stager
from endpoints.backends.troubles import part, translated
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.host import instance_address
from endpoints.spec.loglines import LogWriter
from endpoints.spec.states import FailureCode

_SCORING = Path(__file__).resolve().parent.parent / "scoring"
_LOG_MAX_BYTES = 10 * 1024 * 1024
_LOG_KEEP = 5
_NO_MOUNT = "model_mount_path {path} needs a container; a process finds its model in AZUREML_MODEL_DIR."
_LOOK_S = 0.02
# Older drafts of a staged revision were left by a worker that was killed.
_DRAFT_S = 3600.0


class ProcessBackend:
    """The embedded compute target. `memory_is_limited` turns the instance type's memory into a limit of the data
    segment; it is off by default, because libraries that reserve address space they never use would fail under it.
    """

    name = "process"

    def __init__(
        self,
        home: Home,
        *,
        store: AssetStore | None = None,
        server_package: Path = _SCORING,
        memory_is_limited: bool = False,
        remove_grace_s: float = 5.0,
        address: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._home, self._now, self._pause = home, now, pause
        self._store = store or AssetStore(home.blobs)
        self._stager = Stager(home, self._store, server_package=server_package)
        self._address = instance_address(os.environ) if address is None else address
        self._memory_is_limited, self._remove_grace_s = memory_is_limited, remove_grace_s

    # Staging ---------------------------------------------------------------------------------------------------

    def stage(self, deployment: DeploymentRef, template: InstanceTemplate) -> None:
        with translated():
            self._stager.stage_server()
            final = self._revision(deployment, template.revision)
            if not final.exists():
                log = LogWriter(
                    self._log_folder(deployment) / "storage-initializer.jsonl",
                    logger="storage-initializer",
                    now=self._now,
                )
                self._stager.stage_revision(template, final, code="code", models="azureml-models", log=log)
                if template.model_mount_path:
                    log.write(_NO_MOUNT.format(path=template.model_mount_path), level="WARNING")

    # Changing --------------------------------------------------------------------------------------------------

    def apply(self, plan: Plan) -> None:
        with translated():
            for stop in plan.stop:
                self._stop(plan.deployment, stop)
            for start in plan.start:
                self.stage(plan.deployment, start.template)
                self._start(plan.deployment, start)
            self._prune_revisions(plan.deployment)

    def _start(self, deployment: DeploymentRef, start: StartInstance) -> None:
        instance = self._instance(deployment, start.instance_id)
        folder = instance.path
        for scratch in ("home", "tmp"):
            (folder / scratch).mkdir(parents=True, exist_ok=True)
        with launch_lock(folder / "lock") as held:
            if held is None or instance.identity is not None:
                return  # it exists: being started, running, or exited and not yet stopped
            server = self._stager.stage_server()
            instance.write_record(
                Record(
                    instance_id=start.instance_id,
                    revision=start.template.revision,
                    server=server.name,
                    boot_id=boot_id(),
                    created_at=self._now(),
                )
            )
            launch(
                self._command(deployment, start, folder),
                folder=folder,
                cwd=self._revision(deployment, start.template.revision) / "code",
                environ=self._environment(deployment, start, folder=folder, server=server),
                memory_kib=self._memory_kib(start.template),
                held=held,
            )

    def _command(self, deployment: DeploymentRef, start: StartInstance, folder: Path) -> list[str | Path]:
        template = start.template
        log_folder = self._log_folder(deployment) / start.instance_id
        log_folder.mkdir(parents=True, exist_ok=True)
        return [
            *(_python(template), "-m", SERVER_MODULE, "--host", self._address, "--port", "0"),
            *("--status-file", folder / "status.json"),
            *("--log-file", log_folder / "inference-server.jsonl"),
            *("--log-max-bytes", str(_LOG_MAX_BYTES), "--log-keep", str(_LOG_KEEP)),
            *("--max-concurrent", str(template.max_concurrent_requests)),
            # A little more than any request may take: what is in flight can finish.
            *("--graceful-timeout", f"{template.request_timeout_ms / 1000 + 1:.1f}"),
        ]

    def _environment(
        self, deployment: DeploymentRef, start: StartInstance, *, folder: Path, server: Path
    ) -> Mapping[str, str]:
        template = start.template
        revision = self._revision(deployment, template.revision)
        models = revision / "azureml-models"
        model = template.model
        return {
            **base_environment(folder=folder, python=_python(template), cpu_cores=template.cpu_cores),
            **template.environment_variables,
            "PYTHONPATH": os.pathsep.join(
                [str(server), *filter(None, [template.environment_variables.get("PYTHONPATH", "")])]
            ),
            "AML_APP_ROOT": str(revision / "code"),
            "AZUREML_ENTRY_SCRIPT": template.entry_script,
            "AZUREML_MODEL_DIR": str(models / part(model.name) / part(model.version) if model else models),
            "AZUREML_INFERENCE_PYTHON_PATH": str(_python(template)),
            "SLIPWAY_INSTANCE_ID": start.instance_id,
            MARKER: str(folder),
        }

    def _memory_kib(self, template: InstanceTemplate) -> int | None:
        if not self._memory_is_limited or template.memory_bytes is None:
            return None
        return template.memory_bytes // 1024

    def _stop(self, deployment: DeploymentRef, stop: StopInstance) -> None:
        instance = self._instance(deployment, stop.instance_id)
        if not instance.path.exists():
            return
        if instance.is_running:
            instance.ask_to_stop(deadline=self._now() + timedelta(seconds=stop.grace_s))
        else:
            instance.finish()

    def remove(self, deployment: DeploymentRef) -> None:
        with translated():
            instances = self._instances(deployment)
            for instance in instances:
                self._stop(deployment, StopInstance(instance.id, grace_s=self._remove_grace_s))
            deadline = time.monotonic() + self._remove_grace_s
            while time.monotonic() < deadline and any(instance.is_running for instance in instances):
                self._pause(_LOOK_S)
            for instance in instances:
                instance.finish()
            root = self._root(deployment)
            shutil.rmtree(root, ignore_errors=True)
            with contextlib.suppress(OSError):  # other deployments of the endpoint are still there
                root.parent.rmdir()

    def _prune_revisions(self, deployment: DeploymentRef) -> None:
        """Remove staged revisions that no instance runs, except the newest: it may be about to start."""
        staged = {int(path.name[4:]): path for path in self._root(deployment).glob("rev-*") if path.name[4:].isdigit()}
        in_use = {record.revision for instance in self._instances(deployment) if (record := instance.record)}
        for number in set(staged) - in_use - {max(staged, default=0)}:
            shutil.rmtree(staged[number], ignore_errors=True)
        for draft in self._root(deployment).glob(".rev-*"):
            if draft.stat().st_mtime < time.time() - _DRAFT_S:
                shutil.rmtree(draft, ignore_errors=True)

    def collect_garbage(self, *, grace_s: float = 3600.0) -> None:
        """Remove shared copies of models and servers that no deployment of this studio uses any more."""
        with translated():
            folders = self._home.root.glob("deployments/*/*/instances/*")
            records = (InstanceFolder(folder).record for folder in folders)
            self._stager.collect(servers_in_use={record.server for record in records if record}, grace_s=grace_s)

    # Observing -------------------------------------------------------------------------------------------------

    def observe(self, deployment: DeploymentRef) -> tuple[ObservedInstance, ...]:
        """See the contract. A stop whose grace is over is brought to its end here."""
        with translated():
            found = (instance.observe(self._now()) for instance in self._instances(deployment))
            return tuple(instance for instance in found if instance is not None)

    def observe_many(
        self, deployments: Sequence[DeploymentRef]
    ) -> Mapping[DeploymentRef, tuple[ObservedInstance, ...]]:
        return {deployment: self.observe(deployment) for deployment in deployments}

    def end_strays(self, is_ours: Callable[[DeploymentRef], bool]) -> int:
        """Kill what runs on this host of deployments that are another host's by now; returns how many processes.

        Their files stay: they are the other host's. Where those are gone already, the process is nobody's.
        """
        root, found = self._home.root / "deployments", 0
        for process, folder in marked_processes(root):
            endpoint, deployment = folder.relative_to(root).parts[:2]
            if not folder.exists() or not is_ours(DeploymentRef(endpoint, deployment)):
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    found += 1
        return found

    # Logs ------------------------------------------------------------------------------------------------------

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

    # Places ----------------------------------------------------------------------------------------------------

    def _root(self, deployment: DeploymentRef) -> Path:
        return self._home.deployment(deployment.endpoint, deployment.deployment)

    def _revision(self, deployment: DeploymentRef, number: int) -> Path:
        return self._root(deployment) / f"rev-{number}"

    def _instance(self, deployment: DeploymentRef, instance_id: str) -> InstanceFolder:
        path = self._home.instance(deployment.endpoint, deployment.deployment, part(instance_id))
        return InstanceFolder(path, pause=self._pause)

    def _instances(self, deployment: DeploymentRef) -> list[InstanceFolder]:
        paths = sorted(self._root(deployment).glob("instances/*"))
        return [InstanceFolder(path, pause=self._pause) for path in paths]

    def _log_folder(self, deployment: DeploymentRef) -> Path:
        return self._home.deployment_logs(deployment.endpoint, deployment.deployment)


def _python(template: InstanceTemplate) -> Path:
    if template.runtime.python is None:
        raise Permanent(
            Failure(
                code=FailureCode.BAD_ARGUMENT,
                message="This environment was built into an image, which cannot run as a process.",
                advice="Choose the docker backend for this deployment, or build the environment for processes.",
            )
        )
    return template.runtime.python
