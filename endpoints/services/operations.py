"""Begins operations: what was asked for, with all its steps laid out. The control room advances and ends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation, OperationStep
from endpoints.spec.states import OperationState, StepState
from studio.access import actions, audit
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
STOP_STEPS = {DRAINED: "Finish requests in flight", STOPPED: "Stop instances"}
REMOVAL_STEPS = {**STOP_STEPS, REMOVED: "Remove files"}


@dataclass(frozen=True, slots=True)
class Change:
    """What was and what is to be, of the keys that differ."""

    before: Mapping[str, object]
    after: Mapping[str, object]


def begin_roll_out(
    actor: User, deployment: OnlineDeployment, *, kind: str, summary: str, quota: str, change: Change | None = None
) -> Operation:
    """An operation of a deployment's creation or change. `quota` says what the check, which passed, found."""
    operation = _begin(actor, deployment, kind=kind, summary=summary, steps=ROLL_OUT_STEPS, change=change)
    now = timezone.now()
    operation.steps.filter(key=QUOTA).update(
        state=StepState.SUCCEEDED, detail=quota, started_at=operation.created_at, finished_at=now
    )
    return operation


def begin_removal(actor: User, deployment: OnlineDeployment) -> Operation:
    """An operation of a deployment's deletion."""
    return _begin(actor, deployment, kind="DeleteDeployment", summary="Delete the deployment", steps=REMOVAL_STEPS)


def begin_stop(actor: User | None, deployment: OnlineDeployment, *, summary: str) -> Operation:
    """An operation at whose end no instance runs and the record stays. actor None: the studio by itself."""
    return _begin(actor, deployment, kind="StopDeployment", summary=summary, steps=STOP_STEPS)


def begin_endpoint_change(
    actor: User | None, endpoint: OnlineEndpoint, *, kind: str, summary: str, change: Change | None = None
) -> Operation:
    """An operation of the endpoint itself; only its deletion takes steps. actor None: the studio by itself."""
    steps = REMOVAL_STEPS if kind == "DeleteEndpoint" else {}
    return _begin(actor, endpoint, kind=kind, summary=summary, steps=steps, change=change)


def note_change(
    actor: User | None, deployment: OnlineDeployment, *, kind: str, summary: str, change: Change | None = None
) -> Operation:
    """An operation that is over already: nothing that runs had to change."""
    operation = _begin(actor, deployment, kind=kind, summary=summary, steps={}, change=change)
    operation.state, operation.finished_at = OperationState.SUCCEEDED, timezone.now()
    operation.save(update_fields=["state", "finished_at"])
    return operation


def _begin(
    actor: User | None,
    target: OnlineEndpoint | OnlineDeployment,
    *,
    kind: str,
    summary: str,
    steps: dict[str, str],
    change: Change | None = None,
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
    _record(actor, operation, change)
    return operation


def _record(actor: User | None, operation: Operation, change: Change | None) -> None:
    is_removal = operation.kind.startswith("Delete")
    if operation.deployment_name:
        action = actions.DEPLOYMENTS_DELETE if is_removal else actions.DEPLOYMENTS_WRITE
        target = f"deployment {operation.endpoint_name}/{operation.deployment_name}"
    else:
        action = actions.ENDPOINTS_DELETE if is_removal else actions.ENDPOINTS_WRITE
        target = f"endpoint {operation.endpoint_name}"
    before, after = (_public(change.before), _public(change.after)) if change else (None, None)
    audit.record(actor, action, target=target, summary=operation.summary, before=before, after=after)


def _public(values: Mapping[str, object]) -> dict[str, object]:
    """Of environment variables the names alone: their values may be secrets."""
    variables = values.get("environment_variables")
    hidden = {"environment_variables": sorted(variables)} if isinstance(variables, Mapping) else {}
    return {**values, **hidden}
