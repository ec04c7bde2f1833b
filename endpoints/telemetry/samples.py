"""Every ten seconds: how many instances each deployment has in which state, and what those on this host use."""

from __future__ import annotations

from datetime import datetime

import psutil
from django.conf import settings
from django.db.models import Count, Q

from endpoints.models import CapacityRollup, DiskRollup, Instance, InstanceRollup, InstanceType
from endpoints.models.telemetry import Rollup
from endpoints.spec.home import Home
from endpoints.telemetry.cells import Cell, Cells, add, slot_of
from endpoints.telemetry.disks import used_of
from endpoints.telemetry.rollups import FINEST_S, add_finest, locked
from endpoints.telemetry.usage import ContainerMeter, Meter, Usage

HUNDREDTHS = 10_000  # of a percent, in a whole
SCRATCH, WORK = "scratch", "work"  # a container's own space; the filesystem of a process's folder
GIB = 1024**3
METER = Meter()
CONTAINER_METER = ContainerMeter()


def sample(*, now: datetime, meter: Meter = METER, containers: ContainerMeter = CONTAINER_METER) -> int:
    """Look once; returns how many instances were measured. A second look in the same ten seconds adds nothing."""
    start_s = slot_of(now.timestamp(), FINEST_S)
    if _is_taken(start_s):
        return 0
    # Before the lock: the engine may be slow to answer, and counters wait for the same lock.
    used = _usage(start_s, meter, containers)
    with locked():
        if _is_taken(start_s):
            return 0
        add_finest({CapacityRollup: _capacity(start_s), **used})
    return len(used[InstanceRollup])


def sample_host(*, now: datetime, meter: Meter = METER) -> int:
    """The same for the processes of this host alone, beside the look of the host that counts all."""
    start_s = slot_of(now.timestamp(), FINEST_S)
    used = _usage(start_s, meter, None)
    with locked():
        there = InstanceRollup.objects.filter(grain_s=FINEST_S, start_s=start_s)
        known = set(there.values_list("instance", flat=True))
        fresh = {
            model: {place: cell for place, cell in cells.items() if place[1:][2] not in known}
            for model, cells in used.items()
        }
        add_finest(fresh)
    return len(fresh[InstanceRollup])


def _is_taken(start_s: int) -> bool:
    return CapacityRollup.objects.filter(grain_s=FINEST_S, start_s=start_s).exists()


def _capacity(start_s: int) -> Cells:
    counted = Instance.objects.filter(ended_at=None).values_list(
        "deployment__endpoint__name", "deployment__name", "state"
    )
    cells = Cells()
    for endpoint, deployment, state, count in counted.annotate(Count("pk")):
        add(cells, (start_s, endpoint, deployment, state), Cell([], [count], []))
    return cells


def _usage(start_s: int, meter: Meter, containers: ContainerMeter | None) -> dict[type[Rollup], Cells]:
    """What this host's processes use, and what the engine's containers do where they are asked for."""
    columns = ("pk", "pid", "deployment__endpoint__name", "deployment__name", "deployment__instance_type")
    of_process = Q(deployment__backend="process", deployment__host__in={"", settings.SLIPWAY_HOST})
    living = Instance.objects.filter(of_process | Q(deployment__backend="docker"), ended_at=None)
    rows = list(living.values_list(*columns, "deployment__backend"))
    pids = {pid: name for name, pid, *_, backend in rows if pid and backend == "process"}
    usages = {pids[pid]: usage for pid, usage in meter.measure(pids).items()}
    home = Home(settings.SLIPWAY_HOME)
    if containers and any(backend == "docker" for *_, backend in rows):
        usages |= containers.measure(home.studio_id)
    sizes = {row.name.lower(): _given(row) for row in InstanceType.objects.all()}
    host = (float(psutil.cpu_count() or 1), psutil.virtual_memory().total)
    cells, disks = Cells(), Cells()
    for instance, _, endpoint, deployment, type_name, backend in rows:
        if instance in usages:
            usage, place = usages[instance], (start_s, endpoint, deployment, instance)
            cores, memory_bytes = sizes.get(type_name.lower(), host)
            add(cells, place, _cell(usage, cores=min(cores, host[0]), memory_bytes=min(memory_bytes, host[1])))
            is_process = backend == "process"
            part = used_of(home.instance(endpoint, deployment, instance)) if is_process else usage.scratch
            if part is not None:
                add(disks, (*place, WORK if is_process else SCRATCH), _disk_cell(part))
    return {InstanceRollup: cells, DiskRollup: disks}


def _given(row: InstanceType) -> tuple[float, int]:
    return float(row.cores), int(row.memory_gib * GIB)


def _cell(usage: Usage, *, cores: float, memory_bytes: int) -> Cell:
    cpu = round(usage.cores / cores * HUNDREDTHS)
    memory = round(usage.memory_bytes / memory_bytes * HUNDREDTHS)
    gpu, gpu_memory = (round((part or 0.0) * HUNDREDTHS) for part in (usage.gpu, usage.gpu_memory))
    energy = [int(usage.gpu_joules is not None), round((usage.gpu_joules or 0.0) * 1000)]
    spare_gpu = [HUNDREDTHS - gpu, HUNDREDTHS - gpu_memory] if usage.gpu is not None else [0, 0]
    return Cell(
        [1, cpu, memory, int(usage.gpu is not None), gpu, gpu_memory, *energy],
        [cpu, memory, HUNDREDTHS - cpu, HUNDREDTHS - memory, gpu, gpu_memory, *spare_gpu],
        [],
    )


def _disk_cell(part: float) -> Cell:
    used = round(part * HUNDREDTHS)
    return Cell([1, used], [used, HUNDREDTHS - used], [])
