"""The documents a user may write, in one place to import from.

`OnlineDeploymentDocument.read(mapping)` or `.read_text(yaml)` gives a validated value or raises `Invalid` with every
error at once; `.to_json()` gives the normalised form that is stored and sent.
"""

from __future__ import annotations

from endpoints.spec.asset_documents import (
    DEFAULT_IMAGE,
    MLFLOW,
    BuildContext,
    EnvironmentContent,
    EnvironmentDocument,
    InferenceConfig,
    InlineEnvironment,
    InlineModel,
    ModelDocument,
)
from endpoints.spec.deployment_document import (
    MAX_INSTANCES_PER_DEPLOYMENT,
    CodeConfiguration,
    DataCollector,
    OnlineDeploymentDocument,
    Probe,
    RequestSettings,
    ScaleSettings,
)
from endpoints.spec.endpoint_document import Identity, OnlineEndpointDocument
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.references import AssetReference, FileLocation, LocationKind

__all__ = [
    "DEFAULT_IMAGE",
    "MAX_INSTANCES_PER_DEPLOYMENT",
    "MLFLOW",
    "AssetReference",
    "BuildContext",
    "CodeConfiguration",
    "DataCollector",
    "EnvironmentContent",
    "EnvironmentDocument",
    "FileLocation",
    "Identity",
    "InferenceConfig",
    "InlineEnvironment",
    "InlineModel",
    "LocationKind",
    "ModelDocument",
    "OnlineDeploymentDocument",
    "OnlineEndpointDocument",
    "Probe",
    "RequestSettings",
    "ScaleSettings",
    "require_managed",
]


def require_managed(document: OnlineEndpointDocument | OnlineDeploymentDocument) -> None:
    """Refuse what asks for a cluster this studio does not have."""
    if isinstance(document, OnlineEndpointDocument):
        field, is_foreign = "compute", document.is_kubernetes
    else:
        field, is_foreign = "type", document.type != "managed"
    if is_foreign:
        message = f"No Kubernetes cluster is attached to this studio; remove '{field}' to run it here."
        raise Invalid(f"{field}: {message}", details=[FieldError(field, message)])
