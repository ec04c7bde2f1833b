"""Operations as the reconciler moves them on: timed steps, an end, and the end of those a newer change replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db.models import QuerySet

from endpoints.models import Operation, OperationStep
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode, OperationState, StepState

_OPEN_STEPS = (StepState.PENDING, StepState.RUNNING)
_REPLACED = Failure(
    code=FailureCode.OPERATION_CANCELED,
    message="A newer change took the place of this one before it was finished.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation is about; `deployment` is "" for an endpoint's own."""

    endpoint: str
    deployment: str = ""

    def running(self) -> QuerySet[Operation]:
        return Operation.objects.filter(
            endpoint_name=self.endpoint, deployment_name=self.deployment, state=OperationState.RUNNING
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """Writes the steps of the operations that run for one generation of one target. Unknown keys are passed over."""

    target: Target
    generation: int

    def begin(self, *, now: datetime) -> None:
        """End running operations of older generations: this one took their place."""
        _end(self.target.running().filter(generation__lt=self.generation), OperationState.CANCELED, _REPLACED, now)

    def step(self, key: str, state: StepState, detail: str | None = None, *, now: datetime) -> None:
        """Bring step `key` to `state`. Repeating it changes nothing; a finished step stays finished."""
        steps = OperationStep.objects.filter(
            operation__in=self.target.running().filter(generation=self.generation), key=key, state__in=_OPEN_STEPS
        )
        for step in steps:
            if (step.state, step.detail) == (state, step.detail if detail is None else detail):
                continue
            _move(step, state, detail, now)

    def note(self, detail: str, *, now: datetime) -> None:
        """Say on the step under way (or the next one) what it waits for."""
        for operation in self.target.running().filter(generation=self.generation):
            step = operation.steps.filter(state__in=_OPEN_STEPS).order_by("-state", "order").first()
            if step is not None:
                _move(step, StepState.RUNNING, detail, now)

    def finish(self, failure: Failure | None, *, now: datetime) -> None:
        """End the operations of this generation, well or badly."""
        self.begin(now=now)
        state = OperationState.FAILED if failure else OperationState.SUCCEEDED
        if failure and failure.code is FailureCode.OPERATION_CANCELED:
            state = OperationState.CANCELED
        _end(self.target.running().filter(generation=self.generation), state, failure, now)


def _move(step: OperationStep, state: StepState, detail: str | None, now: datetime) -> None:
    step.state = state
    step.detail = step.detail if detail is None else detail
    step.started_at = step.started_at or now
    step.finished_at = None if state in _OPEN_STEPS else now
    step.save(update_fields=["state", "detail", "started_at", "finished_at"])


def _end(operations: QuerySet[Operation], state: OperationState, failure: Failure | None, now: datetime) -> None:
    """Close operations and the steps they left open: the one under way shares their fate, later ones never came."""
    ids = list(operations.values_list("pk", flat=True))
    if not ids:
        return
    steps = OperationStep.objects.filter(operation__in=ids)
    if state is OperationState.SUCCEEDED:
        steps.filter(state=StepState.RUNNING).update(state=StepState.SUCCEEDED, finished_at=now)
    else:
        steps.filter(state=StepState.RUNNING).update(state=StepState.FAILED, finished_at=now)
    steps.filter(state=StepState.PENDING).update(state=StepState.SKIPPED)
    Operation.objects.filter(pk__in=ids, state=OperationState.RUNNING).update(
        state=state, failure=msgspec.to_builtins(failure) if failure else None, finished_at=now
    )
