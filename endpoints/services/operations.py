"""Begins operations: what was asked for, with all its steps laid out. The control room advances and ends them."""

from __future__ import annotations

from django.utils import timezone

from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation, OperationStep
from endpoints.spec.states import OperationState, StepState
from studio.access.models import User

QUOTA, ENVIRONMENT, STAGED, STARTED, READY = "quota", "environment", "staged", "started", "ready"
DRAINED, STOPPED, REMOVED = "drained", "stopped", "removed"

ROLL_OUT_STEPS = {
    QUOTA: "Check quota",
    ENVIRONMENT: "Prepare the environment",
    STAGED: "Stage model and code",
    STARTED: "Start instances",
    READY: "Wait until they are ready",
}
REMOVAL_STEPS = {
    DRAINED: "Finish requests in flight",
    STOPPED: "Stop instances",
    REMOVED: "Remove files",
}


def begin_roll_out(actor: User, deployment: OnlineDeployment, *, kind: str, summary: str, quota: str) -> Operation:
    """An operation of a deployment's creation or change. `quota` says what the check, which passed, found."""
    operation = _begin(actor, deployment, kind=kind, summary=summary, steps=ROLL_OUT_STEPS)
    now = timezone.now()
    operation.steps.filter(key=QUOTA).update(
        state=StepState.SUCCEEDED, detail=quota, started_at=operation.created_at, finished_at=now
    )
    return operation


def begin_removal(actor: User, deployment: OnlineDeployment) -> Operation:
    """An operation of a deployment's deletion."""
    return _begin(actor, deployment, kind="DeleteDeployment", summary="Delete the deployment", steps=REMOVAL_STEPS)


def begin_endpoint_change(actor: User, endpoint: OnlineEndpoint, *, kind: str, summary: str) -> Operation:
    """An operation of the endpoint itself; only its deletion takes steps."""
    steps = REMOVAL_STEPS if kind == "DeleteEndpoint" else {}
    return _begin(actor, endpoint, kind=kind, summary=summary, steps=steps)


def note_change(actor: User, deployment: OnlineDeployment, *, kind: str, summary: str) -> Operation:
    """An operation that is over already: nothing that runs had to change."""
    operation = _begin(actor, deployment, kind=kind, summary=summary, steps={})
    operation.state, operation.finished_at = OperationState.SUCCEEDED, timezone.now()
    operation.save(update_fields=["state", "finished_at"])
    return operation


def _begin(
    actor: User, target: OnlineEndpoint | OnlineDeployment, *, kind: str, summary: str, steps: dict[str, str]
) -> Operation:
    endpoint, deployment = target.name, ""
    if isinstance(target, OnlineDeployment):
        endpoint, deployment = target.endpoint.name, target.name
    operation = Operation.objects.create(
        kind=kind,
        endpoint_name=endpoint,
        deployment_name=deployment,
        generation=target.generation,
        summary=summary,
        created_by=actor,
    )
    OperationStep.objects.bulk_create(
        OperationStep(operation=operation, order=order, key=key, title=title)
        for order, (key, title) in enumerate(steps.items())
    )
    return operation
