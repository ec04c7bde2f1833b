"""`deployment.yml`: model, code, environment and how many instances of what size (contract B5, B24)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from endpoints.spec.asset_documents import MLFLOW, EnvironmentSource, InlineModel, Location, ModelSource
from endpoints.spec.endpoint_document import Access, EndpointName
from endpoints.spec.gateway_settings import DeploymentGatewaySettings
from endpoints.spec.names import deployment_name_problem
from endpoints.spec.references import FileLocation
from endpoints.spec.scaling_document import ScalingDocument, ScalingTarget
from endpoints.spec.schema import Document, Integer, Number, Problem, Shape, Text, TextOfAnything, rule

DeploymentName = Annotated[str, Text(deployment_name_problem, is_lowered=True)]

# What no studio can be set beyond; what this one allows is its settings' to say.
MAX_REQUEST_TIMEOUT_MS = 3_600_000
MAX_INSTANCES_PER_DEPLOYMENT = 1000
MAX_SHARED_POOL_HOURS = 24 * 90
SMALL_INSTANCE_TYPES = frozenset({"standard_ds1_v2", "standard_ds2_v2"})
RECOMMENDED_INSTANCE_TYPE = "Standard_DS3_v2"


def _script_problem(path: str) -> str | None:
    return None if path.strip() else "scoring script can't be empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeConfiguration(Shape):
    """The folder with the user's code, and the scoring script in it."""

    code: Annotated[FileLocation, Location()]
    scoring_script: Annotated[str, Text(_script_problem)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSettings(Shape):
    """How requests are treated. 0 stands for the default, as with the Azure client."""

    request_timeout_ms: Annotated[int, Integer(minimum=1, maximum=MAX_REQUEST_TIMEOUT_MS, zero_means=5000)] = 5000
    max_concurrent_requests_per_instance: Annotated[int, Integer(minimum=1, zero_means=1)] = 1
    max_queue_wait_ms: Annotated[int, Integer(minimum=1, zero_means=500)] = 500


Positive = Annotated[int, Integer(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Shape):
    """All times in seconds."""

    initial_delay: Positive = 10
    period: Positive = 10
    timeout: Positive = 2
    success_threshold: Positive = 1
    failure_threshold: Positive = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSettings(Shape):
    """`default` leaves the count to `instance_count` and `scaling`; `target_utilization` is Kubernetes' own and means a
    policy that keeps so much of the concurrency in use."""

    advice: ClassVar = {
        "scale_type": "it belongs to the 2021 format; write 'type: default' and 'instance_count' beside it.",
        "instance_count": "it stands beside 'scale_settings', not in it.",
    }

    type: Literal["default", "target_utilization"] = "default"
    min_instances: Positive | None = None
    max_instances: Positive | None = None
    polling_interval: Positive | None = None
    target_utilization_percentage: Annotated[int | None, Integer(minimum=1, maximum=100)] = None

    @rule("type", "min_instances", "max_instances", "polling_interval", "target_utilization_percentage")
    def default_has_no_settings(self) -> Iterator[Problem]:
        if self.type == "default":
            for name in ("min_instances", "max_instances", "polling_interval", "target_utilization_percentage"):
                if getattr(self, name) is not None:
                    yield name, "Only 'type: target_utilization' has this setting."

    @rule("min_instances", "max_instances")
    def minimum_is_below_maximum(self) -> Iterator[Problem]:
        if self.min_instances and self.max_instances and self.min_instances > self.max_instances:
            yield "min_instances", f"Must be at most max_instances ({self.max_instances}), not {self.min_instances}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceAmounts(Shape):
    """Kubernetes amounts, all strings (`"500m"`, `"1Gi"`)."""

    aliases: ClassVar = {"nvidia.com/gpu": "gpu"}

    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(Shape):
    requests: ResourceAmounts | None = None
    limits: ResourceAmounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedData(Shape):
    name: str | None = None
    version: Annotated[str | None, TextOfAnything()] = None
    path: str | None = None
    data_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection(Shape):
    """`enabled` is a quoted word in Azure's documents; a bare boolean is refused there and here."""

    enabled: Literal["true", "false"]
    data: CollectedData | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLogging(Shape):
    capture_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCollector(Shape):
    """What production data is kept (contract B10)."""

    collections: Mapping[str, Collection]
    sampling_rate: Annotated[float, Number(0.0, 1.0, "Sampling rate must be an number in range (0.0-1.0)")] = 1.0
    rolling_rate: Literal["minute", "hour", "day"] = "hour"
    request_logging: RequestLogging | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineDeploymentDocument(Document):
    """A deployment. `environment` may be left out where an MLflow model brings its own; `backend`, `scaling`,
    `gateway_settings` and `shared_pool_hours` are our own keys. Without `scaling` a policy that is there stays: Azure
    keeps it beside the deployment too."""

    title: ClassVar = "online deployment document"
    ignored: ClassVar = frozenset({"$schema", "id", "kind", "provisioning_state", "creation_context", "package_model"})
    advice: ClassVar = {
        "startup_probe": "use 'readiness_probe' with a longer 'initial_delay'.",
        "scale_setting": "write 'scale_settings'.",
        "autoscale": "write 'scaling'.",
        "traffic": 'it belongs to the endpoint: online-endpoint update --traffic "blue=100".',
    }

    name: DeploymentName
    endpoint_name: EndpointName
    type: Literal["managed", "kubernetes"] = "managed"
    backend: Literal["process", "docker"] | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    model: ModelSource = None
    model_mount_path: str = ""
    code_configuration: CodeConfiguration | None = None
    environment: EnvironmentSource = None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    instance_type: str = ""
    instance_count: Annotated[int, Integer(minimum=0, maximum=MAX_INSTANCES_PER_DEPLOYMENT)] = 1
    scale_settings: ScaleSettings = field(default_factory=ScaleSettings)
    scaling: ScalingDocument | None = None
    request_settings: RequestSettings = field(default_factory=RequestSettings)
    liveness_probe: Probe = field(default_factory=Probe)
    readiness_probe: Probe = field(default_factory=Probe)
    app_insights_enabled: bool = False
    data_collector: DataCollector | None = None
    egress_public_network_access: Access = "enabled"
    private_network_connection: bool | None = None
    resources: Resources | None = None
    gateway_settings: DeploymentGatewaySettings = field(default_factory=DeploymentGatewaySettings)
    shared_pool_hours: Annotated[int, Integer(minimum=0, maximum=MAX_SHARED_POOL_HOURS)] = 0

    @rule("type", "instance_type")
    def managed_names_an_instance_type(self) -> Iterator[Problem]:
        if self.type == "managed" and not self.instance_type.strip():
            yield "instance_type", "Missing data for required field."

    @rule("type", "resources")
    def managed_leaves_kubernetes_settings_out(self) -> Iterator[Problem]:
        if self.type == "managed" and self.resources is not None:
            yield "resources", "Only 'type: kubernetes' has this setting; the size is given by 'instance_type'."

    @rule("scaling", "scale_settings")
    def has_one_policy(self) -> Iterator[Problem]:
        if self.scaling is not None and self.scale_settings.type != "default":
            yield "scale_settings", "'scaling' says how it scales; leave 'scale_settings' at 'type: default'."

    @rule("instance_count", "scaling", "scale_settings")
    def sleeps_only_by_a_policy(self) -> Iterator[Problem]:
        scaling = self.wanted_scaling
        if not self.instance_count and not (scaling and scaling.enabled and not scaling.minimum):
            yield (
                "instance_count",
                "Must be at least 1, not 0; a scaling policy with a minimum of 0 may put it to sleep.",
            )

    @property
    def wanted_scaling(self) -> ScalingDocument | None:
        """The policy the document asks for, in whichever of its two places; None where it asks for none."""
        settings = self.scale_settings
        if self.scaling is not None or settings.type == "default":
            return self.scaling
        minimum = settings.min_instances or 1
        return ScalingDocument(
            minimum=minimum,
            maximum=settings.max_instances or minimum,
            target=ScalingTarget(
                utilization_percentage=settings.target_utilization_percentage or 70,
                polling_interval=f"{settings.polling_interval or 1}s",
            ),
        )

    @rule("liveness_probe")
    def liveness_needs_one_success(self) -> Iterator[Problem]:
        if self.liveness_probe.success_threshold != 1:
            yield "liveness_probe.success_threshold", "The liveness probe's is always 1."

    @rule("environment", "code_configuration", "model")
    def code_runs_somewhere(self) -> Iterator[Problem]:
        is_mlflow = isinstance(self.model, InlineModel) and self.model.type == MLFLOW
        is_inline = isinstance(self.model, InlineModel) and not is_mlflow
        if self.environment is None and (self.code_configuration or is_inline or self.model is None):
            yield "environment", "Missing data for required field."

    @rule("environment_variables")
    def variables_have_names(self) -> Iterator[Problem]:
        for name, value in self.environment_variables.items():
            if not name or "=" in name or "\0" in name + value:
                yield "environment_variables", f"'{name}' cannot be the name of an environment variable."

    def warnings(self) -> tuple[str, ...]:
        """What is allowed but unlikely to be meant."""
        if self.instance_type.lower() not in SMALL_INSTANCE_TYPES:
            return ()
        return (f"{self.instance_type} may be too small; {RECOMMENDED_INSTANCE_TYPE} is recommended.",)
