"""10 seconds → 1 minute → 1 hour, and what is forgotten when; beside them the seconds of what is watched closely.

A coarser slot is always made whole from the finer rows below it, so making it twice changes nothing. What adds to the
finest rows notes the slots above as stale in the same transaction; only rows old enough to be complete are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from endpoints.models.comparison import ComparisonRollup
from endpoints.models.telemetry import (
    CapacityRollup,
    ConnectionRollup,
    DiskRollup,
    GaugeRollup,
    HoldRollup,
    InstanceRollup,
    Rollup,
    StaleSlot,
    TelemetryLock,
    TrafficRollup,
)
from endpoints.telemetry import cells
from endpoints.telemetry.cells import Cells, slot_of

# Requests to endpoints that are watched closely are kept by the second beside everything else; nothing is made of it.
CLOSE_S = 1
FINEST_S, MINUTE_S, HOUR_S = 10, 60, 3600
GRAINS_S = (CLOSE_S, FINEST_S, MINUTE_S, HOUR_S)
FINER_S = {MINUTE_S: FINEST_S, HOUR_S: MINUTE_S}
KEPT_S = {CLOSE_S: 1800, FINEST_S: 6 * 3600, MINUTE_S: 8 * 86400, HOUR_S: 400 * 86400}
# Older than this, the finest rows beside it may be gone already: it is not taken any more.
TAKEN_WITHIN_S = KEPT_S[FINEST_S] - 2 * HOUR_S
# How long after its end a slot is first made: batches of the gateway are on their way for a few seconds.
SETTLED_AFTER_S = 15

MODELS: tuple[type[Rollup], ...] = (
    TrafficRollup,
    GaugeRollup,
    ConnectionRollup,
    InstanceRollup,
    DiskRollup,
    CapacityRollup,
    ComparisonRollup,
    HoldRollup,
)


@contextmanager
def locked() -> Iterator[None]:
    """A transaction in which nobody else writes rollups."""
    with transaction.atomic():
        TelemetryLock.objects.get_or_create(pk=1)
        TelemetryLock.objects.select_for_update().get(pk=1)
        yield


def add_finest(found: dict[type[Rollup], Cells]) -> None:
    """Add cells of the finest grain to what is stored. Call it under `locked`."""
    starts = {place[0] for some in found.values() for place in some}
    for model, some in found.items():
        cells.merge_into(model, FINEST_S, some)
    _mark_stale(MINUTE_S, starts)


def add_close(found: dict[type[Rollup], Cells]) -> None:
    """Add cells of single seconds. Call it under `locked`."""
    for model, some in found.items():
        cells.merge_into(model, CLOSE_S, some)


def _mark_stale(grain_s: int, starts: Iterable[int]) -> None:
    slots = sorted({slot_of(start, grain_s) for start in starts})
    StaleSlot.objects.bulk_create([StaleSlot(grain_s=grain_s, start_s=start) for start in slots], ignore_conflicts=True)


def roll_up(*, now: datetime) -> int:
    """Make every coarser slot that is stale and complete; returns how many. Each has a transaction of its own."""
    made = 0
    for grain_s in (MINUTE_S, HOUR_S):
        complete_before = now.timestamp() - grain_s - SETTLED_AFTER_S
        stale = StaleSlot.objects.filter(grain_s=grain_s, start_s__lte=complete_before).order_by("start_s")
        for start_s in list(stale.values_list("start_s", flat=True)):
            _make(grain_s, start_s)
            made += 1
    return made


def _make(grain_s: int, start_s: int) -> None:
    with locked():
        StaleSlot.objects.filter(grain_s=grain_s, start_s=start_s).delete()
        for model in MODELS:
            cells.write(model, grain_s, cells.read_coarser(model, FINER_S[grain_s], start_s, grain_s))
        if grain_s == MINUTE_S:
            _mark_stale(HOUR_S, [start_s])


def forget(*, now: datetime) -> int:
    """Delete what has been kept long enough; returns how many rows. What is still to be rolled up stays."""
    deleted = 0
    for grain_s in GRAINS_S:
        limit = int(now.timestamp()) - KEPT_S[grain_s]
        stale = StaleSlot.objects.filter(grain_s__gt=grain_s).order_by("start_s")
        oldest = stale.values_list("start_s", flat=True).first()
        limit = limit if oldest is None else min(limit, oldest)
        for model in MODELS:
            count, _ = model._default_manager.filter(grain_s=grain_s, start_s__lt=limit).delete()
            deleted += count
    return deleted
