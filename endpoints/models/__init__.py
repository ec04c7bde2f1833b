"""What is stored. One module a noun; callers import from here."""

from endpoints.models.compute import FamilyQuota, InstanceType
from endpoints.models.environments import Environment, EnvironmentBuild, EnvironmentVersion
from endpoints.models.keys import EndpointKeys, TokenSigningKey
from endpoints.models.online import DeploymentRevision, Instance, OnlineDeployment, OnlineEndpoint
from endpoints.models.operations import Operation, OperationStep
from endpoints.models.registry import Model, ModelVersion
from endpoints.models.routing import RouteFragment, RouteVersion
from endpoints.models.uploads import Upload

__all__ = [
    "DeploymentRevision",
    "EndpointKeys",
    "Environment",
    "EnvironmentBuild",
    "EnvironmentVersion",
    "FamilyQuota",
    "Instance",
    "InstanceType",
    "Model",
    "ModelVersion",
    "OnlineDeployment",
    "OnlineEndpoint",
    "Operation",
    "OperationStep",
    "RouteFragment",
    "RouteVersion",
    "TokenSigningKey",
    "Upload",
]
