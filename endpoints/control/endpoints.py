"""Endpoints have no processes of their own: they are finished when the gateways know them, or know them no more."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, Q

from endpoints.control import routes
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.operations import Progress, Target
from endpoints.models import OnlineEndpoint
from endpoints.spec.states import StepState


def finish(endpoint: OnlineEndpoint, *, clock: Clock = SYSTEM_CLOCK) -> None:
    """Take the endpoint as far as it can go now: publish it, or delete it once its deployments are gone. Idempotent."""
    current = OnlineEndpoint.objects.filter(pk=endpoint.pk).first()
    if current is None:
        return
    if current.deletion_requested_at:
        _delete(current, clock)
    else:
        _publish(current, clock)


def finish_due(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """Finish every endpoint whose record is ahead of what was observed."""
    due = Q(observed_generation__lt=F("generation")) | Q(deletion_requested_at__isnull=False)
    for endpoint in OnlineEndpoint.objects.filter(due):
        finish(endpoint, clock=clock)


def _publish(endpoint: OnlineEndpoint, clock: Clock) -> None:
    with transaction.atomic():
        routes.publish([endpoint.name])
        OnlineEndpoint.objects.filter(pk=endpoint.pk, observed_generation__lt=endpoint.generation).update(
            observed_generation=endpoint.generation, failure=None
        )
        Progress(Target(endpoint.name), endpoint.generation).finish(None, now=clock.now())


def _delete(endpoint: OnlineEndpoint, clock: Clock) -> None:
    """Out of the routes at once; the row goes when the last deployment went."""
    progress = Progress(Target(endpoint.name), endpoint.generation)
    routes.publish([endpoint.name])
    if endpoint.deployments.exists():
        progress.step("stopped", StepState.RUNNING, now=clock.now())
        return
    with transaction.atomic():
        for key in ("drained", "stopped", "removed"):
            progress.step(key, StepState.SUCCEEDED, now=clock.now())
        progress.finish(None, now=clock.now())
        endpoint.delete()
