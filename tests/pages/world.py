"""Rows to draw pages from: a workspace in which things went well, are under way, and went wrong."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from endpoints import services
from endpoints.models import (
    DeploymentRevision,
    Environment,
    EnvironmentBuild,
    EnvironmentVersion,
    Instance,
    Model,
    ModelVersion,
    OnlineDeployment,
    OnlineEndpoint,
    Operation,
    OperationStep,
    Upload,
)
from endpoints.services.credentials import make_keys
from endpoints.services.templates import resolve
from endpoints.spec.documents import OnlineDeploymentDocument
from studio.access.models import User

SCRIPT = b"def init():\n    pass\n\n\ndef run(raw_data):\n    return raw_data\n"
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
STEPS = (
    ("quota", "Quota checked", "Succeeded"),
    ("environment", "Environment built", "Running"),
    ("ready", "Ready", "Pending"),
)
FAILURE = {
    "code": "UserScriptImportError",
    "message": "The script imports 'sklearn', which the environment does not have.",
    "advice": "Add scikit-learn to the pip list of the environment's conda file.",
    "file": "score.py",
    "line": 3,
    "log_tail": ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'sklearn'"],
}


def person(name: str, *, is_superuser: bool = False) -> User:
    return User.objects.create_user(name, password="correct horse battery", is_superuser=is_superuser)


def model(owner: User, name: str = "diabetes", version: str = "1") -> ModelVersion:
    parent, _ = Model.objects.get_or_create(name=name)
    return ModelVersion.objects.create(
        model=parent,
        version=version,
        tree_digest="ab" * 32,
        root_name="model.pkl",
        is_folder=False,
        size_bytes=41_000,
        file_count=1,
        description="Ridge on ten features",
        tags={"team": "risk"},
        created_by=owner,
    )


def environment(owner: User, name: str = "sklearn", version: str = "1", *, state: str = "") -> EnvironmentVersion:
    parent, _ = Environment.objects.get_or_create(name=name)
    row = EnvironmentVersion.objects.create(
        environment=parent,
        version=version,
        image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04",
        conda_text="dependencies:\n  - python=3.11\n  - pip:\n      - scikit-learn==1.5.2\n",
        build_key=f"{name}-{version}",
        created_by=owner,
    )
    if state:
        failure = FAILURE if state == "Failed" else None
        EnvironmentBuild.objects.create(
            key=row.build_key,
            state=state,
            python_requested="3.9",
            python_used="3.11.2",
            warnings=["Python 3.9 is not on this host; 3.11.2 is used."],
            failure=failure,
            started_at=NOW,
            finished_at=None if state == "Building" else NOW + timedelta(seconds=12),
        )
    return row


def code(owner: User) -> str:
    """The digest of a stored folder with a script."""
    stored = Upload.objects.filter(purpose="code").first() or services.upload_from_files(
        owner, files=[("score.py", io.BytesIO(SCRIPT))], purpose="code"
    )
    return stored.tree_digest


def endpoint(owner: User, name: str = "diabetes-risk", **columns: object) -> OnlineEndpoint:
    row = OnlineEndpoint.objects.create(name=name, created_by=owner, observed_generation=1, **columns)
    make_keys(row)
    return row


def deployment(parent: OnlineEndpoint, name: str, **columns: object) -> OnlineDeployment:
    """A deployment that was rolled out whole, unless the columns say otherwise."""
    ready = {"observed_generation": 1, "observed_revision": 1, "ready_instances": 1}
    row = OnlineDeployment.objects.create(
        endpoint=parent,
        name=name,
        instance_type="Standard_DS3_v2",
        colour=parent.deployments.count(),
        created_by=parent.created_by,
        **{**ready, **columns},
    )
    owner = parent.created_by
    assert owner is not None
    model_version = ModelVersion.objects.first() or model(owner)
    environment_version = EnvironmentVersion.objects.first() or environment(owner)
    code_digest = code(owner)
    document = OnlineDeploymentDocument.read(
        {
            "name": name,
            "endpoint_name": parent.name,
            "model": model_version.reference,
            "environment": environment_version.reference,
            "instance_type": "Standard_DS3_v2",
            "code_configuration": {"code": f"tree:{code_digest}", "scoring_script": "score.py"},
            "request_settings": {"max_concurrent_requests_per_instance": 4, "request_timeout_ms": 5000},
            "environment_variables": {"THRESHOLD": "0.5"},
        }
    )
    DeploymentRevision.objects.create(
        deployment=row,
        number=row.revision,
        spec=resolve(owner, document, instance_type="Standard_DS3_v2").spec,
        model_version=model_version,
        environment_version=environment_version,
        code_digest=code_digest,
        created_by=owner,
    )
    return row


def instance(parent: OnlineDeployment, number: int, **columns: object) -> Instance:
    values = {"state": "Ready", "host": "127.0.0.1", "port": 31000 + number, "pid": 4000 + number, "ready_at": NOW}
    return Instance.objects.create(
        id=f"{parent.name}-{parent.pk:04x}{number:04x}", deployment=parent, revision=1, **{**values, **columns}
    )


def operation(parent: OnlineEndpoint, name: str = "", *, state: str = "Succeeded", **columns: object) -> Operation:
    kind = "CreateDeployment" if name else "UpdateEndpoint"
    row = Operation.objects.create(
        kind=kind,
        endpoint_name=parent.name,
        deployment_name=name,
        state=state,
        summary=f"Create deployment {name}" if name else "Set traffic to blue=100",
        created_by=parent.created_by,
        finished_at=None if state == "Running" else NOW,
        **columns,
    )
    steps = (
        ("quota", "Quota checked", "Succeeded"),
        ("environment", "Environment built", "Running"),
        ("ready", "Ready", "Pending"),
    )
    for order, (key, title, step_state) in enumerate(steps):
        is_begun = step_state != "Pending"
        OperationStep.objects.create(
            operation=row,
            order=order,
            key=key,
            title=title,
            state=step_state,
            detail="6 x 4 cores" if key == "quota" else "",
            started_at=NOW if is_begun else None,
            finished_at=NOW + timedelta(seconds=1) if step_state == "Succeeded" else None,
        )
    return row


def workspace(owner: User) -> OnlineEndpoint:
    """Two models, three environments, and an endpoint with a good, a busy and a failed deployment."""
    model(owner)
    model(owner, version="2")
    environment(owner, state="Succeeded")
    environment(owner, "torch", state="Building")
    environment(owner, "broken", state="Failed")
    found = endpoint(
        owner,
        description="Progression of diabetes after a year",
        tags={"team": "risk"},
        traffic={"blue": 90, "green": 10},
    )
    blue = deployment(found, "blue", instance_count=3, ready_instances=3)
    for number in range(3):
        instance(blue, number)
    instance(blue, 9, state="Failed", exit_code=-9, reason="Killed by signal 9 from outside.", ended_at=NOW)
    deployment(found, "green")
    deployment(found, "shadow-xgb", generation=2, ready_instances=0)
    deployment(found, "broken", failure=FAILURE, ready_instances=0, warnings=["Memory is clipped to the host's 8 GiB."])
    operation(found, "blue")
    operation(found, "shadow-xgb", state="Running")
    operation(found, "broken", state="Failed", failure=FAILURE)
    return found
