"""Several workers, each with processes of its own: who is there, and whose deployment is whose.

A deployment whose instances are processes belongs to one host at a time; only that host's worker looks at it and
changes it. Hosts say that they live; a deployment of one that has been silent goes to another, which finds its
instances gone and replaces them. Without SLIPWAY_HOST there is one host, and none of this is asked.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q, Sum

from endpoints.backends.base import DeploymentRef
from endpoints.backends.process import ProcessBackend
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.targets import home
from endpoints.models import OnlineDeployment, WorkerHost

logger = logging.getLogger(__name__)

SAY_EVERY_S = 2.0
GONE_AFTER = timedelta(seconds=12)
FORGOTTEN_AFTER = timedelta(hours=1)
_BOUND = Q(backend=ProcessBackend.name)


def here() -> str:
    """This host's name, "" where there is but one."""
    name: str = settings.SLIPWAY_HOST
    return name


def living(clock: Clock = SYSTEM_CLOCK) -> list[str]:
    """The hosts that said so lately."""
    rows = WorkerHost.objects.filter(seen_at__gt=clock.now() - GONE_AFTER)
    return list(rows.order_by("name").values_list("name", flat=True))


def others(clock: Clock = SYSTEM_CLOCK) -> list[str]:
    return [name for name in living(clock) if name != here()] if here() else []


def place_of(deployment_id: int, *, clock: Clock = SYSTEM_CLOCK) -> str:
    """The host that has to work on the deployment; "" where any may. One whose host is gone is given another."""
    known = OnlineDeployment.objects.filter(_BOUND, pk=deployment_id).values_list("host", flat=True)
    before = known.first() if here() else None
    if before is None:
        return ""
    there = living(clock) or [here()]
    if before not in there:
        OnlineDeployment.objects.filter(pk=deployment_id, host=before).update(host=_least_busy(there))
    return known.first() or here()


def _least_busy(names: list[str]) -> str:
    rows = OnlineDeployment.objects.filter(_BOUND, host__in=names).values_list("host").annotate(Sum("instance_count"))
    busy: dict[str, int] = dict(rows)
    return min(names, key=lambda name: (busy.get(name, 0), name))


def stranded(clock: Clock) -> Q:
    """Deployments whose host is gone."""
    return _BOUND & ~Q(host="") & ~Q(host__in=living(clock)) if here() else Q(pk__in=())


def ours() -> Q:
    """Deployments this host's worker may look at: its own, and those that belong to no host."""
    return ~_BOUND | Q(host=here()) if here() else Q()


def only_ours() -> Q:
    """Those that no other host's worker looks at."""
    return _BOUND & Q(host=here())


# Living --------------------------------------------------------------------------------------------------------


def say_here(*, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Say that this host lives; returns whether it had been silent for so long that others took over."""
    now = clock.now()
    seen = WorkerHost.objects.filter(pk=here()).values_list("seen_at", flat=True).first()
    WorkerHost.objects.update_or_create(pk=here(), defaults={"seen_at": now})
    WorkerHost.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
    return seen is None or seen < now - GONE_AFTER


def leave() -> None:
    """Say that this host goes: others need not wait until they miss it."""
    WorkerHost.objects.filter(pk=here()).delete()


def keep_saying(is_over: threading.Event) -> None:
    """A thread's life: say so every two seconds, and end what others took over while nobody heard this one."""
    while not is_over.is_set():
        try:
            if say_here():
                end_strays()
        except DatabaseError as trouble:
            logger.warning("Could not say that the host %s lives: %s", here(), trouble)
        finally:
            connection.close()
        is_over.wait(SAY_EVERY_S)


def end_strays() -> int:
    """Kill processes on this host that are instances of deployments another host has; returns how many."""
    own = set(OnlineDeployment.objects.filter(only_ours()).values_list("endpoint__name", "name"))

    def is_ours(deployment: DeploymentRef) -> bool:
        return (deployment.endpoint, deployment.deployment) in own

    ended = ProcessBackend(home()).end_strays(is_ours)
    if ended:
        logger.warning("Ended %d processes of deployments that another host has taken over", ended)
    return ended
