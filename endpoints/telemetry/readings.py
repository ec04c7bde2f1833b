"""Rows of rollups for one endpoint and window, each table read at most once. Asks for no permission: selectors do.

The newest slots of a coarse grain are not made yet; they are read from the finer rows they will be made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.db.models import Model, Q, QuerySet

from endpoints.models.telemetry import (
    CapacityRollup,
    ConnectionRollup,
    GaugeRollup,
    InstanceRollup,
    Rollup,
    TrafficRollup,
)
from endpoints.telemetry.rollups import FINER_S, FINEST_S, HOUR_S, MINUTE_S
from endpoints.telemetry.windows import Window

# Slots this near to now may not be made yet, or be made again.
TAIL_S = {MINUTE_S: 5 * 60, HOUR_S: 2 * HOUR_S}


class Traffic(NamedTuple):
    """One row of requests; the histograms are packed."""

    start_s: int
    deployment: str
    status: int
    model_status: int
    reason: str
    is_mirror: bool
    requests: int
    request_bytes: int
    response_bytes: int
    latency: bytes
    model_latency: bytes


class Busy(NamedTuple):
    """One row of gauges."""

    start_s: int
    deployment: str
    in_flight_ms: int
    queued_ms: int
    peak_in_flight: int
    peak_queued: int
    limit: int


class Used(NamedTuple):
    """One row of what an instance used, in hundredths of a percent."""

    start_s: int
    deployment: str
    instance: str
    samples: int
    cpu: int
    memory: int
    peak_cpu: int
    peak_memory: int


class Capacity(NamedTuple):
    """One row of instances in a state."""

    start_s: int
    deployment: str
    state: str
    instances: int


class Connections(NamedTuple):
    """One row of the gateways' connections."""

    start_s: int
    open_ms: int
    accepted: int


def slots(window: Window) -> Q:
    """Which rows make up the window: its own grain, and finer ones towards now."""
    grain_s = window.grain_s
    start_s = max(window.start_s, window.since_s)
    wanted = Q()
    while grain_s > FINEST_S:
        cut_s = max((window.now_s - TAIL_S[grain_s]) // grain_s * grain_s, start_s)
        if cut_s > start_s:
            wanted |= Q(grain_s=grain_s, start_s__gte=start_s, start_s__lt=cut_s)
        start_s, grain_s = cut_s, FINER_S[grain_s]
    return wanted | Q(grain_s=FINEST_S, start_s__gte=start_s, start_s__lt=window.end_s)


@dataclass(frozen=True)
class Readings:
    """What was measured at `endpoint` in `window`; of one deployment only where it is named."""

    endpoint: str
    window: Window
    deployment: str = ""

    def _rows(self, model: type[Rollup]) -> QuerySet[Model]:
        where = {"endpoint": self.endpoint} | ({"deployment": self.deployment} if self.deployment else {})
        return model._default_manager.filter(slots(self.window), **where)

    @cached_property
    def all_traffic(self) -> list[Traffic]:
        """Requests, mirrored copies included."""
        return [Traffic(*row) for row in self._rows(TrafficRollup).values_list(*Traffic._fields)]

    @cached_property
    def traffic(self) -> list[Traffic]:
        """Requests of clients."""
        return [row for row in self.all_traffic if not row.is_mirror]

    @cached_property
    def busy(self) -> list[Busy]:
        return [Busy(*row) for row in self._rows(GaugeRollup).values_list(*Busy._fields)]

    @cached_property
    def used(self) -> list[Used]:
        return [Used(*row) for row in self._rows(InstanceRollup).values_list(*Used._fields)]

    @cached_property
    def capacity(self) -> list[Capacity]:
        return [Capacity(*row) for row in self._rows(CapacityRollup).values_list(*Capacity._fields)]

    @cached_property
    def connections(self) -> list[Connections]:
        rows = ConnectionRollup.objects.filter(slots(self.window))
        return [Connections(*row) for row in rows.values_list(*Connections._fields)]
