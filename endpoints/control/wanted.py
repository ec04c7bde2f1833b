"""What the reconciler needs of the records of one deployment, as values: its settings, its template, its `Desired`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from endpoints.control.plan import Desired
from endpoints.control.surge import surge_of
from endpoints.models import DeploymentRevision, EnvironmentVersion, OnlineDeployment
from endpoints.spec.asset_documents import InferenceConfig
from endpoints.spec.deployment_document import Probe, RequestSettings

_Part = TypeVar("_Part")

# A route table's way to the gateways, and the requests that were chosen by the one before.
DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Paths:
    """Where an instance is asked. Those of the scoring server, unless the image brings a server of its own.

    A probe's port 0 is the port that scores.
    """

    liveness: str = "/"
    readiness: str = "/"
    scoring: str = "/score"
    liveness_port: int = 0
    readiness_port: int = 0


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How instances of one revision run, are probed and are served."""

    requests: RequestSettings = field(default_factory=RequestSettings)
    liveness: Probe = field(default_factory=Probe)
    readiness: Probe = field(default_factory=Probe)
    paths: Paths = field(default_factory=Paths)
    own_server_port: int = 0
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    entry_script: str = ""
    model_mount_path: str = ""

    @property
    def has_own_server(self) -> bool:
        return self.own_server_port > 0

    @property
    def start_window_s(self) -> float:
        """How long an instance may take to become ready: whichever probe loses patience first."""
        return min(probe.initial_delay + probe.failure_threshold * probe.period for probe in self.probes)

    @property
    def probes(self) -> tuple[Probe, Probe]:
        return self.liveness, self.readiness

    @property
    def grace_s(self) -> float:
        """From the request to stop until it is forced: whatever was accepted may still be answered."""
        return self.in_flight_s + 5.0

    @property
    def drain_s(self) -> float:
        """From leaving the routes to the stop. The scoring server itself finishes what it took; others may not."""
        return DRAIN_S + (self.in_flight_s if self.has_own_server else 0.0)

    @property
    def in_flight_s(self) -> float:
        """How long a request that was accepted may still take."""
        return (self.requests.request_timeout_ms + self.requests.max_queue_wait_ms) / 1000


def settings_of(revision: DeploymentRevision) -> RunSettings:
    """Read a revision's document. Its environment version should be joined already."""
    spec: Mapping[str, Any] = revision.spec
    config = _inference_config(revision.environment_version)
    code = spec.get("code_configuration") or {}
    return RunSettings(
        requests=_part(spec, "request_settings", RequestSettings),
        liveness=_part(spec, "liveness_probe", Probe),
        readiness=_part(spec, "readiness_probe", Probe),
        paths=_paths(config) if config else Paths(),
        own_server_port=config.scoring_route.port if config else 0,
        environment_variables=dict(spec.get("environment_variables") or {}),
        entry_script=code.get("scoring_script", ""),
        model_mount_path=spec.get("model_mount_path") or "",
    )


def _part(spec: Mapping[str, Any], key: str, kind: type[_Part]) -> _Part:
    return msgspec.convert(spec.get(key) or {}, kind)


def _inference_config(environment: EnvironmentVersion | None) -> InferenceConfig | None:
    if environment is None or not environment.inference_config:
        return None
    return msgspec.convert(environment.inference_config, InferenceConfig)


def _paths(config: InferenceConfig) -> Paths:
    return Paths(
        liveness=config.liveness_route.path,
        readiness=config.readiness_route.path,
        scoring=config.scoring_route.path,
        liveness_port=config.liveness_route.port,
        readiness_port=config.readiness_route.port,
    )


class Revisions:
    """The revisions of one deployment, read once: they never change."""

    def __init__(self, deployment_id: int) -> None:
        self._deployment_id = deployment_id
        self._rows: dict[int, DeploymentRevision] = {}
        self._settings: dict[int, RunSettings] = {}

    def row(self, number: int) -> DeploymentRevision:
        if number not in self._rows:
            joined = DeploymentRevision.objects.select_related(
                "deployment", "environment_version", "model_version__model"
            )
            self._rows[number] = joined.get(deployment=self._deployment_id, number=number)
        return self._rows[number]

    def settings(self, number: int) -> RunSettings:
        if number not in self._settings:
            self._settings[number] = settings_of(self.row(number))
        return self._settings[number]


def desired(deployment: OnlineDeployment, settings: RunSettings) -> Desired:
    """What `plan` is asked for."""
    return Desired(
        revision=deployment.revision,
        count=deployment.wanted_instances,
        generation=deployment.generation,
        proven_revision=deployment.observed_revision,
        is_settled=deployment.observed_generation >= deployment.generation,
        is_deleted=deployment.deletion_requested_at is not None,
        is_canceled=deployment.canceled_generation == deployment.generation,
        surge=surge_of(deployment),
        patience_s=settings.start_window_s,
        drain_s=settings.drain_s,
        grace_s=settings.grace_s,
    )
