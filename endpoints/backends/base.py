"""The contract of every compute target: start, stop, observe and read instances; two errors.

One test suite (`tests/backends/contract`) runs against all implementations. A backend keeps no state of its own
beyond what the target keeps: `observe` must tell the truth after any crash of the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from endpoints.spec.failure import Failure
from endpoints.spec.loglines import LogLine as LogLine


class Temporary(Exception):
    """May work later: try again in `retry_in` seconds."""

    def __init__(self, message: str, *, retry_in: float = 5.0) -> None:
        super().__init__(message)
        self.retry_in = retry_in


class Permanent(Exception):
    """Will not work until someone changes something; `failure` says what."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class DeploymentRef:
    """Names a deployment on the target: both names are unique within their parent and never change."""

    endpoint: str
    deployment: str


@dataclass(frozen=True, slots=True)
class MountedModel:
    """A model to lay under `azureml-models/<name>/<version>/` as a file or folder of its own base name.

    digest: of the tree in the content-addressed store.
    """

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Runtime:
    """What an environment was built into. Exactly one of `python` (process) and `image` (docker) is set."""

    key: str
    python: Path | None = None
    image: str = ""


@dataclass(frozen=True, slots=True)
class InstanceTemplate:
    """All that an instance of one revision needs, the same for each.

    entry_script: path of the scoring script within the code tree. cpu_cores, memory_bytes: limits, None for none.
    has_egress: whether it may reach beyond its endpoint's network; only containers can be kept from it.
    environment_variables: the user's; they lose against the ones the contract sets.
    gpus: how many, or what part of one; only containers are given any.
    own_server_port: where the image's own server listens; 0 where ours is to be run in it.
    is_published: reached by this host's loopback address, whatever network it is in; a process always is.
    """

    revision: int
    runtime: Runtime
    model: MountedModel | None
    code_digest: str
    entry_script: str
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    max_concurrent_requests: int = 1
    request_timeout_ms: int = 5000
    model_mount_path: str = ""
    has_egress: bool = True
    own_server_port: int = 0
    gpus: float = 0.0
    is_published: bool = False


@dataclass(frozen=True, slots=True)
class StartInstance:
    instance_id: str
    template: InstanceTemplate


@dataclass(frozen=True, slots=True)
class StopInstance:
    """Ask to finish what is in flight, then end; killed after `grace_s` seconds."""

    instance_id: str
    grace_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps to take on one deployment. Starting an id that exists, or stopping one that does not, is no error."""

    deployment: DeploymentRef
    start: tuple[StartInstance, ...] = ()
    stop: tuple[StopInstance, ...] = ()


class Phase(StrEnum):
    STARTING = "starting"  # exists; does not answer yet
    RUNNING = "running"  # init() finished, the port is open; whether it is *ready* is for the probes to say
    STOPPING = "stopping"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class ObservedInstance:
    """One instance as the target reports it now.

    host, port: where it listens, "" and 0 while starting. exit_code: of an exited one, negative for a signal, None
    when it cannot be known. failure: what the scoring server itself reported (script errors), else None.
    restarts: how often the scoring server had to restart a crashed worker inside the instance.
    reason: of an exited one, why it ended, in a sentence.
    """

    instance_id: str
    revision: int
    phase: Phase
    host: str = ""
    port: int = 0
    pid: int | None = None
    started_at: datetime | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    restarts: int = 0
    reason: str = ""


class Backend(Protocol):
    """A compute target. Every method may raise Temporary or Permanent and nothing else."""

    name: str

    def stage(self, deployment: DeploymentRef, template: InstanceTemplate) -> None:
        """Lay model and code where instances of the revision find them. Idempotent; logs to storage-initializer."""

    def apply(self, plan: Plan) -> None:
        """Take the plan's steps; returns without waiting for instances to become ready."""

    def observe(self, deployment: DeploymentRef) -> tuple[ObservedInstance, ...]:
        """Every instance there is, exited ones too until they are stopped."""

    def observe_many(
        self, deployments: Sequence[DeploymentRef]
    ) -> Mapping[DeploymentRef, tuple[ObservedInstance, ...]]:
        """What `observe` says of each, asked for together; `pid` of one that runs may be left out."""

    def remove(self, deployment: DeploymentRef) -> None:
        """End everything of the deployment and leave no process, port or file behind (kept logs excepted)."""

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
        """Lines, oldest first; the last `lines` of them; with `follow` it goes on until closed."""

    def collect_garbage(self, *, grace_s: float = 3600.0) -> None:
        """Remove what no deployment needs any more and was not touched within `grace_s`; never what is not ours."""
