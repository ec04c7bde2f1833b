"""From a deployment's record to what the backend takes: the backend itself, the reference, the instance template."""

from __future__ import annotations

from django.conf import settings

from endpoints.backends import registry
from endpoints.backends.base import Backend, DeploymentRef, InstanceTemplate, MountedModel, Permanent, Runtime
from endpoints.control.wanted import RunSettings, settings_of
from endpoints.models import DeploymentRevision, InstanceType, ModelVersion, OnlineDeployment
from endpoints.spec.asset_documents import BUILT_IN_MLFLOW, MLFLOW
from endpoints.spec.errors import Invalid
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.states import FailureCode

_GIB = 1024**3


def backend_of(deployment: OnlineDeployment) -> Backend:
    """Where the deployment's instances run; raises Permanent for a backend this studio does not have."""
    try:
        return registry.get_backend(deployment.backend, home())
    except Invalid as unknown:
        raise Permanent(Failure(code=FailureCode.BAD_ARGUMENT, message=unknown.message)) from unknown


def build_target(backend: str) -> str:
    """What environments are built into for a backend: images for containers, else virtual environments."""
    return "docker" if backend == "docker" else "process"


def home() -> Home:
    return Home(settings.SLIPWAY_HOME)


def reference(deployment: OnlineDeployment) -> DeploymentRef:
    return DeploymentRef(endpoint=deployment.endpoint.name, deployment=deployment.name)


def template(revision: DeploymentRevision, runtime: Runtime) -> InstanceTemplate:
    """All that instances of the revision have in common. Model and environment versions should be joined already."""
    run = settings_of(revision)
    size = instance_type(revision.spec.get("instance_type", "") or revision.deployment.instance_type)
    return InstanceTemplate(
        revision=revision.number,
        runtime=runtime,
        model=_mounted(revision.model_version),
        code_digest=revision.code_digest,
        entry_script=run.entry_script or _built_in_script(revision, run),
        environment_variables=run.environment_variables,
        cpu_cores=float(size.cores) if size else None,
        memory_bytes=round(size.memory_gib * _GIB) if size else None,
        gpus=size.gpus if size else 0.0,
        max_concurrent_requests=run.requests.max_concurrent_requests_per_instance,
        request_timeout_ms=run.requests.request_timeout_ms,
        model_mount_path=run.model_mount_path,
        own_server_port=run.own_server_port,
        has_egress=revision.spec.get("egress_public_network_access", "enabled") != "disabled",
    )


def _built_in_script(revision: DeploymentRevision, run: RunSettings) -> str:
    """The scoring server's own script for models that need none of the user's."""
    model = revision.model_version
    return BUILT_IN_MLFLOW if model and model.type == MLFLOW and not run.has_own_server else ""


def instance_type(name: str) -> InstanceType | None:
    """By name in any case; None for one that is not in the table (any more)."""
    return InstanceType.objects.filter(name__iexact=name).first()


def _mounted(version: ModelVersion | None) -> MountedModel | None:
    if version is None:
        return None
    return MountedModel(name=version.model.name, version=version.version, digest=version.tree_digest)
