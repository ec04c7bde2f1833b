"""The end of a generation: what is written when it was reached, when it was given up, and when nothing is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from django.db import transaction

from endpoints.control import routes
from endpoints.control.clock import Clock
from endpoints.control.observe import Sight
from endpoints.control.operations import Progress, Target
from endpoints.models import OnlineDeployment, OnlineEndpoint
from endpoints.spec.failure import Failure
from endpoints.spec.states import InstanceState, StepState

# One crash is an accident; from here on a deployment with nothing ready is shown as failed.
CRASH_LOOP_AFTER = 3


def progress_of(deployment: OnlineDeployment) -> Progress:
    return Progress(Target(deployment.endpoint.name, deployment.name), deployment.generation)


def succeed(deployment: OnlineDeployment, clock: Clock) -> None:
    """The generation is reached: all instances are of its revision and ready."""
    with transaction.atomic():
        reached = OnlineDeployment.objects.filter(pk=deployment.pk, observed_generation__lt=deployment.generation)
        if not reached.update(
            observed_generation=deployment.generation,
            observed_revision=deployment.observed_revision if deployment.stopped_at else deployment.revision,
            failure=None,
            attempts=0,
        ):
            return
        _give_first_traffic(deployment, clock)
        routes.publish([deployment.endpoint.name])
        progress_of(deployment).finish(None, now=clock.now())


def give_up(deployment: OnlineDeployment, failure: Failure, clock: Clock) -> None:
    """The generation cannot be reached; the record says why."""
    with transaction.atomic():
        OnlineDeployment.objects.filter(pk=deployment.pk).update(
            observed_generation=deployment.generation,
            failure=msgspec.to_builtins(failure),
            traffic_when_ready=None,
            attempts=0,
        )
        routes.publish([deployment.endpoint.name])
        progress_of(deployment).finish(failure, now=clock.now())


def forget(deployment: OnlineDeployment, clock: Clock) -> None:
    """Nothing is left on the target: the row goes too."""
    with transaction.atomic():
        progress = progress_of(deployment)
        progress.step("removed", StepState.SUCCEEDED, now=clock.now())
        progress.finish(None, now=clock.now())
        deployment.delete()
        routes.publish([deployment.endpoint.name])


def _give_first_traffic(deployment: OnlineDeployment, clock: Clock) -> None:
    """The split that was asked for together with the deployment, as far as its deployments still exist."""
    wanted: Mapping[str, int] | None = deployment.traffic_when_ready
    if wanted is None or deployment.stopped_at:
        return
    names = set(deployment.endpoint.deployments.filter(deletion_requested_at=None).values_list("name", flat=True))
    traffic = {name: percent for name, percent in wanted.items() if name in names}
    if sum(traffic.values()) in (0, 100):
        endpoint = OnlineEndpoint.objects.select_for_update().get(pk=deployment.endpoint_id)
        endpoint.traffic = traffic
        endpoint.traffic_since = clock.now()
        # Who goes live is no shadow any more.
        shadows = endpoint.mirror_traffic.items()
        endpoint.mirror_traffic = {name: percent for name, percent in shadows if not traffic.get(name)}
        endpoint.save(update_fields=["traffic", "traffic_since", "mirror_traffic"])
    OnlineDeployment.objects.filter(pk=deployment.pk).update(traffic_when_ready=None)


def show_warnings(deployment: OnlineDeployment, warnings: list[str]) -> None:
    if deployment.warnings != warnings:
        OnlineDeployment.objects.filter(pk=deployment.pk).update(warnings=warnings)


def show_crash_loop(deployment: OnlineDeployment, sights: Sequence[Sight]) -> None:
    """A deployment that worked and now has nothing ready says why its last instance ended."""
    if deployment.observed_revision != deployment.revision or any(sight.is_ready for sight in sights):
        return
    failed = [sight.row for sight in sights if sight.row.state == InstanceState.FAILED and sight.row.failure]
    if len(failed) < CRASH_LOOP_AFTER:
        return
    failure = max(failed, key=lambda row: row.ended_at or row.created_at).failure
    if deployment.failure != failure:
        OnlineDeployment.objects.filter(pk=deployment.pk).update(failure=failure)
        routes.publish([deployment.endpoint.name])


def clear_trouble(deployment: OnlineDeployment) -> None:
    """All is well again with a generation that had been reached before."""
    is_proven = deployment.observed_revision == deployment.revision
    if is_proven and (deployment.failure or deployment.attempts):
        OnlineDeployment.objects.filter(pk=deployment.pk).update(failure=None, attempts=0)
        routes.publish([deployment.endpoint.name])
