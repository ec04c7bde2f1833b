"""An orderly stop of the studio ends its instances: stops asked for, not failures. The next start replaces them."""

from __future__ import annotations

import logging
from datetime import timedelta

from endpoints.backends.base import Backend, DeploymentRef, Permanent, Phase, Plan, StopInstance, Temporary
from endpoints.control import routes, targets
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.models import Instance, OnlineDeployment
from endpoints.spec.states import InstanceState

logger = logging.getLogger(__name__)

GRACE_S = 5.0
LOOK_EVERY_S = 0.05
REASON = "Stopped together with the studio."


def park(*, clock: Clock = SYSTEM_CLOCK) -> int:
    """Stop every instance on this machine and wait for their end; returns how many there were.

    For when no worker runs. What cannot be stopped is logged and left: the next start adopts it.
    """
    deployments = OnlineDeployment.objects.filter(instances__ended_at=None, instances__isnull=False)
    asked = {row.pk: found for row in deployments.select_related("endpoint").distinct() if (found := _ask(row, clock))}
    deadline = clock.now() + timedelta(seconds=GRACE_S * 2)
    while any(_is_alive(backend, reference) for backend, reference in asked.values()) and clock.now() < deadline:
        clock.sleep(LOOK_EVERY_S)
    parked = Instance.objects.filter(ended_at=None, deployment__in=asked).update(
        state=InstanceState.STOPPED, reason=REASON, ended_at=clock.now(), port=0, pid=None
    )
    OnlineDeployment.objects.filter(pk__in=asked).update(
        ready_instances=0, next_look_at=clock.now(), lease_owner="", lease_until=None
    )
    routes.publish()
    return parked


def _ask(deployment: OnlineDeployment, clock: Clock) -> tuple[Backend, DeploymentRef] | None:
    reference = targets.reference(deployment)
    names = list(deployment.instances.filter(ended_at=None).values_list("pk", flat=True))
    Instance.objects.filter(pk__in=names).update(state=InstanceState.DRAINING, stop_asked_at=clock.now())
    try:
        backend = targets.backend_of(deployment)
        backend.apply(Plan(reference, stop=tuple(StopInstance(name, grace_s=GRACE_S) for name in names)))
    except (Temporary, Permanent) as trouble:
        logger.warning("Could not stop the instances of %s: %s", deployment, trouble)
        return None
    return backend, reference


def _is_alive(backend: Backend, reference: DeploymentRef) -> bool:
    return any(each.phase is not Phase.EXITED for each in backend.observe(reference))
