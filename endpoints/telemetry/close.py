"""Two deployments side by side over any stretch of time: what gates are judged by and what a rollout's page shows.

An endpoint with a rollout under way is kept by the second; longer stretches, and those from before, are read from the
ordinary rows. Decides nothing and asks for no permission.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from django.db.models import Max

from endpoints.models.telemetry import TrafficRollup
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.histogram import quantiles_ms
from endpoints.telemetry.cells import slot_of
from endpoints.telemetry.lines import Line
from endpoints.telemetry.metrics import METRICS, Metric, is_error, metric_named
from endpoints.telemetry.packing import merged
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.rollups import CLOSE_S, FINEST_S, HOUR_S, MINUTE_S
from endpoints.telemetry.windows import Window

# Other words for the metrics people guard with; the names of `METRICS` mean the same in any case.
SHORT_NAMES = {
    "error_percent": "ErrorPercentage",
    "error_rate": "ErrorPercentage",
    "latency": "RequestLatency",
    "p50": "RequestLatency_P50",
    "p90": "RequestLatency_P90",
    "p95": "RequestLatency_P95",
    "p99": "RequestLatency_P99",
    "requests": "RequestsPerMinute",
    "cpu": "CpuUtilizationPercentage",
    "memory": "CpuMemoryUtilizationPercentage",
}
_OF_ALL_ENDPOINTS = {"ConnectionsActive", "NewConnectionsPerSecond"}
# Measured at instances, every ten seconds at most.
_SAMPLED = {name for name in METRICS if "Utilization" in name} | {"GpuEnergyJoules", "DeploymentCapacity"}
# Of several lines the sum tells; of all others the largest does.
_ADDED_UP = {
    "RequestsPerMinute",
    "RequestsRejectedPerMinute",
    "RequestsMirroredPerMinute",
    "NetworkBytes",
    "GpuEnergyJoules",
    "DeploymentCapacity",
}
# Up to here a stretch is read by the second; what is kept so reaches further back.
LONGEST_CLOSE_S = 900
CHART_STEPS = 60


# What a gate may guard: name, what it says, unit.
GATE_METRICS = tuple((one.name, one.text, one.unit) for one in METRICS.values() if one.name not in _OF_ALL_ENDPOINTS)


def gate_metric(word: str, *, field_name: str) -> Metric:
    """The metric a gate names. Raises Invalid for a word that is none, or that no single deployment has."""
    name = SHORT_NAMES.get(word.lower(), word)
    try:
        metric = metric_named(name)
    except Invalid as error:
        message = f"There is no metric {word[:60]!r}; there are {', '.join([*SHORT_NAMES, *METRICS])}."
        raise Invalid(f"{field_name}: {message}", details=[FieldError(field_name, message)]) from error
    if metric.name in _OF_ALL_ENDPOINTS:
        message = f"{metric.name} is of all endpoints together; it says nothing about one deployment."
        raise Invalid(f"{field_name}: {message}", details=[FieldError(field_name, message)])
    return metric


@dataclass(frozen=True, slots=True)
class Measured:
    """One deployment over one stretch. codes: requests by status. values: by metric's name. Times in milliseconds."""

    requests: int = 0
    errors: int = 0
    codes: Mapping[str, int] = field(default_factory=dict)
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    seconds: int = 0
    values: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def error_percent(self) -> float | None:
        return 100 * self.errors / self.requests if self.requests else None

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "requests_per_second": round(self.requests_per_second, 3),
            "errors": self.errors,
            "error_percent": _rounded(self.error_percent),
            "p50_ms": _rounded(self.p50_ms),
            "p90_ms": _rounded(self.p90_ms),
            "p99_ms": _rounded(self.p99_ms),
            "codes": dict(self.codes),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def stretch(since: datetime, until: datetime, *, is_close: bool) -> Window:
    """One step from the first whole second (or slot) after `since` to `until`, as finely as it is kept."""
    end_s = int(until.timestamp()) + 1
    asked_s = until.timestamp() - since.timestamp()
    grain_s = CLOSE_S if is_close and asked_s <= LONGEST_CLOSE_S else FINEST_S if asked_s <= 5 * HOUR_S else MINUTE_S
    start_s = -(-ceil(since.timestamp()) // grain_s) * grain_s
    end_s = max(slot_of(end_s - 1, grain_s) + grain_s, start_s + grain_s)
    return Window(start_s, end_s, grain_s, end_s - start_s, end_s)


def measure(endpoint: str, deployment: str, window: Window, metrics: Collection[str] = ()) -> Measured:
    """One deployment in a window of one step: two queries, and what `metrics` need beside them."""
    found = Readings(endpoint, window, deployment)
    rows = found.traffic
    codes: Counter[str] = Counter()
    for row in rows:
        codes[str(row.status)] += row.requests
    latency = merged(row.latency for row in found.durations)
    p50_ms, p90_ms, p99_ms = quantiles_ms(latency.buckets, (0.5, 0.9, 0.99))
    sampled = _sampled(found) if _SAMPLED & set(metrics) else found
    return Measured(
        requests=sum(codes.values()),
        errors=sum(row.requests for row in rows if is_error(row)),
        codes=dict(codes.most_common()),
        p50_ms=p50_ms,
        p90_ms=p90_ms,
        p99_ms=p99_ms,
        seconds=window.end_s - window.start_s,
        values={name: _value(METRICS[name], sampled if name in _SAMPLED else found) for name in metrics},
    )


def _sampled(found: Readings) -> Readings:
    """The same stretch by the slots in which instances are looked at."""
    window = found.window
    if window.grain_s != CLOSE_S:
        return found
    start_s = slot_of(window.start_s, FINEST_S)
    end_s = slot_of(window.end_s - 1, FINEST_S) + FINEST_S
    return Readings(found.endpoint, Window(start_s, end_s, FINEST_S, end_s - start_s, end_s), found.deployment)


def _value(metric: Metric, found: Readings) -> float | None:
    """The metric as one number over a window of one step."""
    points = [line.points[0] for line in metric.lines(found) if _counts(metric, line)]
    told = [point for point in points if point is not None]
    if not told:
        return None
    return sum(told) if metric.name in _ADDED_UP else max(told)


def _counts(metric: Metric, line: Line) -> bool:
    return metric.name != "DeploymentCapacity" or line.dimensions.get("State") == "Ready"


def newest_second(endpoint: str) -> int | None:
    """When requests to a watched endpoint were last counted, None where none were."""
    rows = TrafficRollup.objects.filter(grain_s=CLOSE_S, endpoint=endpoint)
    newest: int | None = rows.aggregate(newest=Max("start_s"))["newest"]
    return newest


def chart(endpoint: str, deployments: Collection[str], since: datetime, until: datetime) -> dict[str, object]:
    """Error rate and p99 of each deployment in at most `CHART_STEPS` steps, as it is kept with a stage."""
    whole = stretch(since, until, is_close=True)
    length_s = whole.end_s - whole.start_s
    step_s = max(whole.grain_s, -(-length_s // CHART_STEPS) // whole.grain_s * whole.grain_s)
    end_s = whole.start_s + -(-length_s // step_s) * step_s
    window = Window(whole.start_s, end_s, whole.grain_s, step_s, whole.end_s)
    lines = []
    for name in deployments:
        found = Readings(endpoint, window, name)
        for metric in ("ErrorPercentage", "RequestLatency_P99"):
            points = next((line.points for line in METRICS[metric].lines(found)), [])
            shown = [_rounded(point) for point in points]
            lines.append({"deployment": name, "metric": metric, "points": shown})
    return {"start_s": window.start_s, "step_s": step_s, "steps": len(window.starts), "lines": lines}
