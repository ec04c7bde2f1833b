"""Every ten seconds: how many instances each deployment has in which state, and what those on this host use."""

from __future__ import annotations

from datetime import datetime

import psutil
from django.db.models import Count

from endpoints.models import CapacityRollup, Instance, InstanceRollup, InstanceType
from endpoints.telemetry.cells import Cell, Cells, add, slot_of
from endpoints.telemetry.rollups import FINEST_S, add_finest, locked
from endpoints.telemetry.usage import Meter, Usage

HUNDREDTHS = 10_000  # of a percent, in a whole
GIB = 1024**3
METER = Meter()


def sample(*, now: datetime, meter: Meter = METER) -> int:
    """Look once; returns how many instances were measured. A second look in the same ten seconds adds nothing."""
    start_s = slot_of(now.timestamp(), FINEST_S)
    with locked():
        if CapacityRollup.objects.filter(grain_s=FINEST_S, start_s=start_s).exists():
            return 0
        used = _usage(start_s, meter)
        add_finest({CapacityRollup: _capacity(start_s), InstanceRollup: used})
    return len(used)


def _capacity(start_s: int) -> Cells:
    counted = Instance.objects.filter(ended_at=None).values_list(
        "deployment__endpoint__name", "deployment__name", "state"
    )
    cells = Cells()
    for endpoint, deployment, state, count in counted.annotate(Count("pk")):
        add(cells, (start_s, endpoint, deployment, state), Cell([], [count], []))
    return cells


def _usage(start_s: int, meter: Meter) -> Cells:
    running = Instance.objects.filter(ended_at=None, deployment__backend="process", pid__isnull=False)
    columns = ("pk", "pid", "deployment__endpoint__name", "deployment__name", "deployment__instance_type")
    rows = list(running.values_list(*columns))
    usages = meter.measure([pid for _, pid, *_ in rows if pid])
    sizes = {row.name.lower(): _given(row) for row in InstanceType.objects.all()}
    host = (float(psutil.cpu_count() or 1), psutil.virtual_memory().total)
    cells = Cells()
    for instance, pid, endpoint, deployment, type_name in rows:
        if pid in usages:
            cores, memory_bytes = sizes.get(type_name.lower(), host)
            cell = _cell(usages[pid], cores=min(cores, host[0]), memory_bytes=min(memory_bytes, host[1]))
            add(cells, (start_s, endpoint, deployment, instance), cell)
    return cells


def _given(row: InstanceType) -> tuple[float, int]:
    return float(row.cores), int(row.memory_gib * GIB)


def _cell(usage: Usage, *, cores: float, memory_bytes: int) -> Cell:
    cpu = round(usage.cores / cores * HUNDREDTHS)
    memory = round(usage.memory_bytes / memory_bytes * HUNDREDTHS)
    return Cell([1, cpu, memory], [cpu, memory], [])
