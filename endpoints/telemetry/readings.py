"""What was measured at one endpoint, by the steps of a window; each table is read at most once.

The newest slots of a coarse grain are not made yet; they are read from the finer rows they will be made of. Asks for no
permission: selectors do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, TypeVar

from django.db.models import BigIntegerField, ExpressionWrapper, F, Max, Q, QuerySet, Sum

from endpoints.models.comparison import ComparisonRollup
from endpoints.models.telemetry import (
    CapacityRollup,
    ConnectionRollup,
    DiskRollup,
    GaugeRollup,
    HoldRollup,
    InstanceRollup,
    Rollup,
    TrafficRollup,
)
from endpoints.spec.histogram import Histogram
from endpoints.telemetry.packing import merged
from endpoints.telemetry.rollups import FINER_S, FINEST_S, HOUR_S, MINUTE_S
from endpoints.telemetry.windows import Window

_Row = TypeVar("_Row")
# Slots this near to now may not be made yet, or be made again.
TAIL_S = {MINUTE_S: 5 * 60, HOUR_S: 2 * HOUR_S}


class Traffic(NamedTuple):
    """Requests of one step and key."""

    start_s: int
    deployment: str
    status: int
    model_status: int
    reason: str
    is_mirror: bool
    requests: int
    request_bytes: int
    response_bytes: int


class Durations(NamedTuple):
    """One row's packed histograms, of a deployment."""

    start_s: int
    deployment: str
    latency: bytes
    model_latency: bytes


# One of the two histograms of a row.
Which: TypeAlias = Callable[[Durations], bytes]


class Busy(NamedTuple):
    """How busy a deployment was in one step."""

    start_s: int
    deployment: str
    in_flight_ms: int
    queued_ms: int
    peak_in_flight: int
    peak_queued: int
    limit: int


class Used(NamedTuple):
    """What an instance used in one step, in hundredths of a percent; energy in thousandths of a joule."""

    start_s: int
    deployment: str
    instance: str
    samples: int
    cpu: int
    memory: int
    gpu_samples: int
    gpu: int
    gpu_memory: int
    energy_samples: int
    gpu_millijoules: int
    peak_cpu: int
    peak_memory: int
    peak_spare_cpu: int
    peak_spare_memory: int
    peak_gpu: int
    peak_gpu_memory: int
    peak_spare_gpu: int
    peak_spare_gpu_memory: int


class Disk(NamedTuple):
    """What was in use of an instance's space in one step, in hundredths of a percent."""

    start_s: int
    deployment: str
    instance: str
    disk: str
    samples: int
    space: int
    peak_space: int
    peak_spare_space: int


class Capacity(NamedTuple):
    """The most instances in a state in one step."""

    start_s: int
    deployment: str
    state: str
    instances: int


class Woken(NamedTuple):
    """Wakings of a deployment in one step, and the requests that waited for them."""

    start_s: int
    deployment: str
    cold_starts: int
    held: int
    given_up: int


class ComparedPairs(NamedTuple):
    """Pairs of answers of one step, live deployment and verdict."""

    start_s: int
    live: str
    shadow: str
    kind: str
    reason: str
    pairs: int


class Connections(NamedTuple):
    """The gateways' connections in one step."""

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
    # What is left has the finest grain, or that of seconds where the window is looked at so closely.
    return wanted | Q(grain_s=grain_s, start_s__gte=start_s, start_s__lt=window.end_s)


@dataclass(frozen=True)
class Readings:
    """What was measured at `endpoint` in `window`; of one deployment only where it is named."""

    endpoint: str
    window: Window
    deployment: str = ""
    # What several metrics need and is dear to work out: histograms by deployment and step.
    kept: dict[Which, dict[tuple[str, int], Histogram]] = field(default_factory=dict, repr=False, compare=False)

    def _rows(self, model: type[Rollup]) -> QuerySet[Any]:
        where = {"endpoint": self.endpoint} | ({"deployment": self.deployment} if self.deployment else {})
        step = (F("start_s") - self.window.start_s) / self.window.step_s * self.window.step_s + self.window.start_s
        rows = model._default_manager.filter(slots(self.window), **(where if model.KEY else {}))
        return rows.annotate(step=ExpressionWrapper(step, output_field=BigIntegerField()))

    def _grouped(self, model: type[Rollup], row: Callable[..., _Row]) -> list[_Row]:
        """One row for every step and key, added up by the database."""
        own = [name for name in model.KEY if name != "endpoint"]
        rows = self._rows(model).values_list("step", *own)
        rows = rows.annotate(*map(Sum, model.SUMS), *map(Max, model.PEAKS))
        numbers = 1 + len(own)
        return [row(*each[:numbers], *map(int, each[numbers:])) for each in rows]

    @cached_property
    def all_traffic(self) -> list[Traffic]:
        """Requests, mirrored copies included."""
        return self._grouped(TrafficRollup, Traffic)

    @cached_property
    def traffic(self) -> list[Traffic]:
        """Requests of clients."""
        return [row for row in self.all_traffic if not row.is_mirror]

    @cached_property
    def durations(self) -> list[Durations]:
        """How long requests of clients took that reached a deployment; the database cannot add these up."""
        rows = self._rows(TrafficRollup).filter(is_mirror=False).exclude(deployment="")
        return list(map(Durations._make, rows.values_list("step", "deployment", "latency", "model_latency")))

    @cached_property
    def busy(self) -> list[Busy]:
        return self._grouped(GaugeRollup, Busy)

    @cached_property
    def used(self) -> list[Used]:
        return self._grouped(InstanceRollup, Used)

    @cached_property
    def disks(self) -> list[Disk]:
        return self._grouped(DiskRollup, Disk)

    @cached_property
    def capacity(self) -> list[Capacity]:
        return self._grouped(CapacityRollup, Capacity)

    @cached_property
    def woken(self) -> list[Woken]:
        return self._grouped(HoldRollup, Woken)

    @cached_property
    def hold_times(self) -> dict[tuple[str, int], Histogram]:
        """How long requests waited for a deployment to wake, by deployment and step."""
        found: dict[tuple[str, int], list[bytes]] = {}
        for start_s, deployment, packed in self._rows(HoldRollup).values_list("step", "deployment", "hold"):
            found.setdefault((deployment, start_s), []).append(bytes(packed))
        return {place: merged(packed) for place, packed in found.items()}

    @cached_property
    def compared(self) -> list[ComparedPairs]:
        return self._grouped(ComparisonRollup, ComparedPairs)

    @cached_property
    def connections(self) -> list[Connections]:
        return self._grouped(ConnectionRollup, Connections)
