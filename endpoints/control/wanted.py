"""What the reconciler needs of a revision's document, as values with the defaults of contract B5."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from endpoints.models import DeploymentRevision, EnvironmentVersion

DEFAULT_PATH = "/"
DEFAULT_SCORING_PATH = "/score"


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one instance (milliseconds)."""

    request_timeout_ms: int = 5000
    max_concurrent_requests_per_instance: int = 1
    max_queue_wait_ms: int = 500


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One probe (seconds, and numbers of answers in a row)."""

    initial_delay: float = 10
    period: float = 10
    timeout: float = 2
    success_threshold: int = 1
    failure_threshold: int = 30

    @property
    def start_window_s(self) -> float:
        """How long an instance may take before its failures count for good."""
        return self.initial_delay + self.failure_threshold * self.period


class CodeConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    scoring_script: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a deployment document that decides how instances run. Other keys are somebody else's."""

    code_configuration: CodeConfiguration | None = None
    environment_variables: dict[str, str] = {}
    request_settings: RequestSettings | None = None
    liveness_probe: ProbeSettings | None = None
    readiness_probe: ProbeSettings | None = None
    model_mount_path: str | None = None

    @property
    def requests(self) -> RequestSettings:
        return self.request_settings or RequestSettings()

    @property
    def liveness(self) -> ProbeSettings:
        return self.liveness_probe or ProbeSettings()

    @property
    def readiness(self) -> ProbeSettings:
        return self.readiness_probe or ProbeSettings()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    port: int = 0
    path: str = DEFAULT_PATH


class InferenceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image with a server of its own listens (contract B5)."""

    liveness_route: Route | None = None
    readiness_route: Route | None = None
    scoring_route: Route | None = None


@dataclass(frozen=True, slots=True)
class ProbePaths:
    liveness: str = DEFAULT_PATH
    readiness: str = DEFAULT_PATH
    scoring: str = DEFAULT_SCORING_PATH


@dataclass(frozen=True, slots=True)
class RevisionSettings:
    """How instances of one revision are probed and served."""

    document: Document = field(default_factory=Document)
    paths: ProbePaths = field(default_factory=ProbePaths)
    server: Literal["slipway", "own"] = "slipway"


def settings_of(revision: DeploymentRevision) -> RevisionSettings:
    """Read a revision. Its environment version should be joined already."""
    document = msgspec.convert(revision.spec, Document, strict=False)
    environment = revision.environment_version
    config = inference_config(environment)
    if config is None:
        return RevisionSettings(document=document)
    return RevisionSettings(document=document, paths=_paths(config), server="own")


def inference_config(environment: EnvironmentVersion | None) -> InferenceConfig | None:
    if environment is None or not environment.inference_config:
        return None
    return msgspec.convert(environment.inference_config, InferenceConfig, strict=False)


def _paths(config: InferenceConfig) -> ProbePaths:
    return ProbePaths(
        liveness=config.liveness_route.path if config.liveness_route else DEFAULT_PATH,
        readiness=config.readiness_route.path if config.readiness_route else DEFAULT_PATH,
        scoring=config.scoring_route.path if config.scoring_route else DEFAULT_SCORING_PATH,
    )
