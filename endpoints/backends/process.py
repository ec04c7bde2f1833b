"""Instances as processes on this host: detached, each in a session of its own, found again by what lies on disk.

They outlive the worker that started them. It isolates nothing: for code you trust. Nothing is remembered in memory;
an instance is its folder, and every question is answered from there and from the kernel.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from endpoints.assets import AssetStore, MissingAsset
from endpoints.backends.base import (
    DeploymentRef,
    InstanceTemplate,
    LogLine,
    ObservedInstance,
    Permanent,
    Plan,
    StartInstance,
    StopInstance,
    Temporary,
)
from endpoints.backends.instance_logs import InstanceLogs
from endpoints.backends.process_identity import MARKER
from endpoints.backends.process_instance import InstanceFolder, Record, boot_id
from endpoints.backends.process_launch import base_environment, launch, launch_lock
from endpoints.backends.staging import SERVER_MODULE, Stager, draft_of
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogWriter
from endpoints.spec.states import FailureCode

_SCORING = Path(__file__).resolve().parent.parent / "scoring"
_LOG_MAX_BYTES = 10 * 1024 * 1024
_LOG_KEEP = 5
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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._home, self._now, self._pause = home, now, pause
        self._store = store or AssetStore(home.blobs)
        self._stager = Stager(home, self._store, server_package=server_package)
        self._memory_is_limited, self._remove_grace_s = memory_is_limited, remove_grace_s

    # Staging ---------------------------------------------------------------------------------------------------

    def stage(self, deployment: DeploymentRef, template: InstanceTemplate) -> None:
        with _translated_errors():
            self._stager.stage_server()
            if not self._revision(deployment, template.revision).exists():
                self._stage_revision(deployment, template)

    def _stage_revision(self, deployment: DeploymentRef, template: InstanceTemplate) -> None:
        log = LogWriter(
            self._log_folder(deployment) / "storage-initializer.jsonl", logger="storage-initializer", now=self._now
        )
        began = time.monotonic()
        log.write(f"Staging revision {template.revision} of {deployment.endpoint}/{deployment.deployment}.")
        try:
            with draft_of(self._revision(deployment, template.revision)) as draft:
                self._stager.stage_code(template.code_digest, draft / "code")
                log.write(f"Code: {self._described(template.code_digest)}.")
                model_folder = draft / "azureml-models"
                model_folder.mkdir()
                if template.model is not None:
                    model = template.model
                    self._stager.stage_model(model.digest, model_folder / _part(model.name) / _part(model.version))
                    log.write(f"Model {model.name}:{model.version}: {self._described(model.digest)}.")
        except Exception as error:
            log.write(f"Staging failed: {error}", level="ERROR")
            raise
        if template.model_mount_path:
            log.write(
                f"model_mount_path {template.model_mount_path} needs a container; a process finds its model in "
                "AZUREML_MODEL_DIR.",
                level="WARNING",
            )
        log.write(f"Staged in {time.monotonic() - began:.2f} s.")

    def _described(self, digest: str) -> str:
        if not digest:
            return "none"
        tree = self._store.tree(digest)
        return f"{tree.root_name}, {tree.file_count} files, {tree.size_bytes:,} bytes"

    # Changing --------------------------------------------------------------------------------------------------

    def apply(self, plan: Plan) -> None:
        with _translated_errors():
            for stop in plan.stop:
                self._stop(plan.deployment, stop)
            for start in plan.start:
                self.stage(plan.deployment, start.template)
                self._start(plan.deployment, start)
            self._prune_revisions(plan.deployment)

    def _start(self, deployment: DeploymentRef, start: StartInstance) -> None:
        instance = self._instance(deployment, start.instance_id)
        folder = instance.path
        for part in ("home", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
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
            *(_python(template), "-m", SERVER_MODULE, "--host", "127.0.0.1", "--port", "0"),
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
            "AZUREML_MODEL_DIR": str(models / _part(model.name) / _part(model.version) if model else models),
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
        with _translated_errors():
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
        with _translated_errors():
            folders = self._home.root.glob("deployments/*/*/instances/*")
            records = (InstanceFolder(folder).record for folder in folders)
            self._stager.collect(servers_in_use={record.server for record in records if record}, grace_s=grace_s)

    # Observing -------------------------------------------------------------------------------------------------

    def observe(self, deployment: DeploymentRef) -> tuple[ObservedInstance, ...]:
        """See the contract. A stop whose grace is over is brought to its end here."""
        with _translated_errors():
            found = (instance.observe(self._now()) for instance in self._instances(deployment))
            return tuple(instance for instance in found if instance is not None)

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
        path = self._home.instance(deployment.endpoint, deployment.deployment, _part(instance_id))
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


def _part(name: str) -> str:
    """`name` when it can be one part of a path; names come validated, this keeps a slip from leaving the folder."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise Permanent(Failure(code=FailureCode.BAD_ARGUMENT, message=f"{name!r} cannot name a folder."))
    return name


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """The two errors of the contract out of what disk and store may raise."""
    try:
        yield
    except MissingAsset as error:
        raise Permanent(
            Failure(
                code=FailureCode.RESOURCE_NOT_FOUND,
                message=f"A file this deployment needs is not in the store: {error}.",
                advice="Register the model or code again and update the deployment.",
            )
        ) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Temporary("The disk that holds the studio's data is full.", retry_in=30.0) from error
        raise Temporary(f"The host refused: {error}.", retry_in=5.0) from error
