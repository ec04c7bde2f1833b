"""What is stored. One module a noun; callers import from here."""

from endpoints.models.comparison import Comparison, ComparisonExample, ComparisonRollup, DifferingField
from endpoints.models.compute import FamilyQuota, InstanceType, PoolLoan, QuotaChange, QuotaRequest
from endpoints.models.environments import Environment, EnvironmentBuild, EnvironmentVersion
from endpoints.models.keys import EndpointKeys, TokenSigningKey
from endpoints.models.online import DeploymentRevision, Instance, OnlineDeployment, OnlineEndpoint, WorkerHost
from endpoints.models.operations import Operation, OperationStep
from endpoints.models.registry import Model, ModelVersion
from endpoints.models.rollouts import Rollout, RolloutStage
from endpoints.models.routing import OF_ALL, RouteFragment, RouteVersion
from endpoints.models.scaling import ScalingDecision
from endpoints.models.studio_settings import SettingChange, StudioSetting
from endpoints.models.telemetry import (
    CapacityRollup,
    ConnectionRollup,
    CounterReceipt,
    DiskRollup,
    GaugeRollup,
    HoldRollup,
    InstanceRollup,
    Rollup,
    StaleSlot,
    TelemetryLock,
    TrafficRollup,
)
from endpoints.models.uploads import Upload

__all__ = [
    "OF_ALL",
    "CapacityRollup",
    "Comparison",
    "ComparisonExample",
    "ComparisonRollup",
    "ConnectionRollup",
    "CounterReceipt",
    "DeploymentRevision",
    "DifferingField",
    "DiskRollup",
    "EndpointKeys",
    "Environment",
    "EnvironmentBuild",
    "EnvironmentVersion",
    "FamilyQuota",
    "GaugeRollup",
    "HoldRollup",
    "Instance",
    "InstanceRollup",
    "InstanceType",
    "Model",
    "ModelVersion",
    "OnlineDeployment",
    "OnlineEndpoint",
    "Operation",
    "OperationStep",
    "PoolLoan",
    "QuotaChange",
    "QuotaRequest",
    "Rollout",
    "RolloutStage",
    "Rollup",
    "RouteFragment",
    "RouteVersion",
    "ScalingDecision",
    "SettingChange",
    "StaleSlot",
    "StudioSetting",
    "TelemetryLock",
    "TokenSigningKey",
    "TrafficRollup",
    "Upload",
    "WorkerHost",
]
