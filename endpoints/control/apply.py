"""A decision on the rows: written before the target is told, so that a death in between leaves a trace."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from endpoints.control.clock import Clock
from endpoints.control.observe import Sight
from endpoints.control.plan import Decision
from endpoints.models import Instance, OnlineDeployment
from endpoints.spec.states import InstanceState


def new_instances(deployment: OnlineDeployment, decision: Decision, clock: Clock) -> list[Instance]:
    """Record the instances that are to be started."""
    rows = [
        Instance(
            id=f"{deployment.name}-{secrets.token_hex(4)}",
            deployment=deployment,
            revision=decision.start_revision,
            generation=deployment.generation,
            created_at=clock.now(),
        )
        for _ in range(decision.start)
    ]
    return Instance.objects.bulk_create(rows)


def drain(names: Sequence[str], clock: Clock) -> None:
    """Mark as leaving; the next route table is without them."""
    if names:
        Instance.objects.filter(pk__in=names).update(state=InstanceState.DRAINING, draining_at=clock.now())


def mark_stopping(stops: Sequence[tuple[str, float]], sights: Iterable[Sight], clock: Clock) -> None:
    """Record that these were asked to stop, so that their end is no failure."""
    now = clock.now()
    names = {name for name, _ in stops}
    for sight in sights:
        row = sight.row
        if row.pk not in names or row.ended_at or row.stop_asked_at:
            continue
        row.stop_asked_at, row.draining_at, row.state = now, row.draining_at or now, InstanceState.DRAINING
        row.save(update_fields=["stop_asked_at", "draining_at", "state"])
