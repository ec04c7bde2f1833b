"""The metrics by name: Azure's (contract B8) and our own, each a function from readings to lines over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from endpoints.spec.agreement import AGREEING, COMPARED
from endpoints.spec.errors import FieldError, Invalid
from endpoints.telemetry.instances import (
    Rows,
    capacity,
    computing,
    disks,
    gpu_energy,
    least_used,
    mean_used,
    most_used,
    with_gpus,
)
from endpoints.telemetry.latency import (
    ByDeployment,
    holds_by_deployment,
    means_by_deployment,
    model,
    outside_by_deployment,
    quantiles_by_deployment,
    whole,
)
from endpoints.telemetry.lines import Labels, Line, lines_of
from endpoints.telemetry.readings import Readings, Traffic, Which


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: what it is called, counted in, split by, and how it is worked out."""

    name: str
    unit: str
    text: str
    lines: Callable[[Readings], list[Line]] = field(repr=False)


# Requests ------------------------------------------------------------------------------------------------------


def _rate(
    readings: Readings,
    rows: Iterable[Traffic],
    labels: Callable[[Traffic], Labels],
    *,
    per_s: float = 1.0,
    amount: Callable[[Traffic], int] = lambda row: row.requests,
) -> list[Line]:
    """Amounts per `per_s` seconds."""
    sums: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        if over_s := readings.window.seconds_of(row.start_s):
            sums[labels(row)][row.start_s] += amount(row) * per_s / over_s
    return lines_of(readings, sums, zero=True)


def status_class(status: int) -> str:
    """200 -> "2xx"."""
    return f"{status // 100}xx"


def requests_per_minute(readings: Readings) -> list[Line]:
    def labels(row: Traffic) -> Labels:
        return (
            ("deployment", row.deployment),
            ("modelStatusCode", str(row.model_status or "")),
            ("statusCode", str(row.status)),
            ("statusCodeClass", status_class(row.status)),
        )

    return _rate(readings, readings.traffic, labels, per_s=60)


def rejected_per_minute(readings: Readings) -> list[Line]:
    """What the gateway refused or gave up by itself."""
    rows = (row for row in readings.traffic if row.reason)
    return _rate(readings, rows, lambda row: (("deployment", row.deployment), ("reason", row.reason)), per_s=60)


def mirrored_per_minute(readings: Readings) -> list[Line]:
    rows = (row for row in readings.all_traffic if row.is_mirror)
    return _rate(readings, rows, lambda row: (("deployment", row.deployment),), per_s=60)


def network_bytes(readings: Readings) -> list[Line]:
    received = _rate(readings, readings.traffic, lambda _: (("direction", "in"),), amount=lambda row: row.request_bytes)
    sent = _rate(readings, readings.traffic, lambda _: (("direction", "out"),), amount=lambda row: row.response_bytes)
    return received + sent


def is_error(row: Traffic) -> bool:
    """Whether the deployment or the gateway failed the client, or refused for want of room.

    A wrong key or a wrong name is the client's own mistake: it says nothing about the service.
    """
    return row.status >= 500 or row.status in {408, 424, 429}


def error_percent(readings: Readings) -> list[Line]:
    all_requests: dict[Labels, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    failed: dict[Labels, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in readings.traffic:
        place = (("deployment", row.deployment),)
        start_s = row.start_s
        all_requests[place][start_s] += row.requests
        failed[place][start_s] += row.requests if is_error(row) else 0
    values = {
        labels: {start: 100 * failed[labels][start] / count for start, count in steps.items() if count}
        for labels, steps in all_requests.items()
    }
    return lines_of(readings, values, zero=False)


# Latency -------------------------------------------------------------------------------------------------------


def percentiles(readings: Readings, quantiles: tuple[float, ...], *, which: Which = whole) -> list[list[Line]]:
    """For every quantile its lines by deployment, in milliseconds."""
    return [_by_deployment(readings, each) for each in quantiles_by_deployment(readings, quantiles, which=which)]


def _by_deployment(readings: Readings, values: ByDeployment) -> list[Line]:
    return lines_of(readings, {(("deployment", name),): steps for name, steps in values.items()}, zero=False)


def _percentile(readings: Readings, *, quantile: float, which: Which = whole) -> list[Line]:
    return percentiles(readings, (quantile,), which=which)[0]


def mean_latency(readings: Readings) -> list[Line]:
    return _by_deployment(readings, means_by_deployment(readings))


def gateway_time(readings: Readings) -> list[Line]:
    """Mean of what a request spends outside its instance: reading, waiting, routing, writing."""
    return _by_deployment(readings, outside_by_deployment(readings))


# Being busy ----------------------------------------------------------------------------------------------------


def _mean_busy(readings: Readings, *, column: str) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.busy:
        if over_s := readings.window.seconds_of(row.start_s):
            values[("deployment", row.deployment),][row.start_s] += getattr(row, column) / 1000 / over_s
    return lines_of(readings, values, zero=True)


def _peak_busy(readings: Readings, *, column: str) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.busy:
        steps = values[("deployment", row.deployment),]
        start_s = row.start_s
        steps[start_s] = max(steps[start_s], float(getattr(row, column)))
    return lines_of(readings, values, zero=column != "limit")


def concurrency_used(readings: Readings) -> list[Line]:
    """Of the requests all ready instances can work on at once; above 100 % requests wait.

    The limit of admission is twice that (contract B5), and what waits counts as under way.
    """
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.busy:
        over_s = readings.window.seconds_of(row.start_s)
        if over_s and row.limit:
            used = row.in_flight_ms / 1000 / over_s / (row.limit / 2)
            values[("deployment", row.deployment),][row.start_s] += 100 * used
    return lines_of(readings, values, zero=True)


# Sleeping and waking -------------------------------------------------------------------------------------------


def _woken(readings: Readings, *, column: str) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.woken:
        values[("deployment", row.deployment),][row.start_s] += getattr(row, column)
    return lines_of(readings, values, zero=True)


def _hold_time(readings: Readings, *, quantile: float) -> list[Line]:
    return _by_deployment(readings, holds_by_deployment(readings, quantile))


def connections_active(readings: Readings) -> list[Line]:
    values: dict[int, float] = defaultdict(float)
    for row in readings.connections:
        if over_s := readings.window.seconds_of(row.start_s):
            values[row.start_s] += row.open_ms / 1000 / over_s
    return lines_of(readings, {(("scope", "gateway"),): values}, zero=True)


def new_connections(readings: Readings) -> list[Line]:
    values: dict[int, float] = defaultdict(float)
    for row in readings.connections:
        if over_s := readings.window.seconds_of(row.start_s):
            values[row.start_s] += row.accepted / over_s
    return lines_of(readings, {(("scope", "gateway"),): values}, zero=True)


# Comparing ----------------------------------------------------------------------------------------------------


def agreement_percent(readings: Readings) -> list[Line]:
    """Of the pairs that were compared; a shadow's error counts as disagreement."""
    agreeing: dict[Labels, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    compared: dict[Labels, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in readings.compared:
        if row.kind in COMPARED:
            place = (("deployment", row.live), ("shadow", row.shadow))
            compared[place][row.start_s] += row.pairs
            agreeing[place][row.start_s] += row.pairs if row.kind in AGREEING else 0
    values = {
        labels: {start_s: 100 * agreeing[labels][start_s] / count for start_s, count in steps.items() if count}
        for labels, steps in compared.items()
    }
    return lines_of(readings, values, zero=False)


def compared_per_minute(readings: Readings) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.compared:
        if over_s := readings.window.seconds_of(row.start_s):
            values[("kind", row.kind),][row.start_s] += row.pairs * 60 / over_s
    return lines_of(readings, values, zero=True)


def _used(name: str, text: tuple[str, str], rows: Rows, column: str, *, samples: str = "samples") -> Iterable[Metric]:
    """A percentage in three: its mean, the most and the least. text: what is used, of what."""
    mean = partial(mean_used, rows=rows, amount=column, samples=samples)
    most = partial(most_used, rows=rows, peak=f"peak_{column}")
    least = partial(least_used, rows=rows, spare=f"peak_spare_{column}")
    what, of = text
    yield Metric(name, "%", f"{what} used {of}", mean)
    yield Metric(f"{name}_Maximum", "%", f"Most {what} used {of}", most)
    yield Metric(f"{name}_Minimum", "%", f"Least {what} used {of}", least)


def _all() -> Iterable[Metric]:
    yield Metric("RequestsPerMinute", "1/min", "Requests by deployment and code", requests_per_minute)
    yield Metric("RequestLatency", "ms", "Mean time to answer", mean_latency)
    for percent in (50, 90, 95, 99):
        lines = partial(_percentile, quantile=percent / 100)
        yield Metric(f"RequestLatency_P{percent}", "ms", f"Time {percent} % of the requests stay below", lines)
    yield Metric("NetworkBytes", "bytes/s", "Bodies received and sent", network_bytes)
    yield Metric(
        "ConnectionsActive", "1", "Connections open at the gateways, all endpoints together", connections_active
    )
    yield Metric("NewConnectionsPerSecond", "1/s", "Connections accepted, all endpoints together", new_connections)
    of = "of what the instance type gives"
    yield from _used("CpuUtilizationPercentage", ("CPU", of), computing, "cpu")
    yield from _used("CpuMemoryUtilizationPercentage", ("Memory", of), computing, "memory")
    of = "of the GPUs the instance was given"
    for name, what, column in (("Gpu", "GPU", "gpu"), ("GpuMemory", "GPU memory", "gpu_memory")):
        yield from _used(f"{name}UtilizationPercentage", (what, of), with_gpus, column, samples="gpu_samples")
    yield Metric("GpuEnergyJoules", "J", "Energy that the instance's GPUs drew", gpu_energy)
    yield from _used("DiskUtilization", ("Disk", "of the space the instance may write to"), disks, "space")
    yield Metric("DeploymentCapacity", "1", "Instances by state", capacity)
    # What Azure has no metric for.
    yield Metric("ErrorPercentage", "%", "Requests failed: 408, 424, 429 and 5xx", error_percent)
    yield Metric(
        "RequestsRejectedPerMinute", "1/min", "Refused or given up by the gateway, by reason", rejected_per_minute
    )
    yield Metric("RequestsMirroredPerMinute", "1/min", "Copies sent to a shadow", mirrored_per_minute)
    yield Metric(
        "RequestsInFlight", "1", "Mean number of requests under way", partial(_mean_busy, column="in_flight_ms")
    )
    peak = partial(_peak_busy, column="peak_in_flight")
    yield Metric("RequestsInFlightPeak", "1", "Most requests under way at once", peak)
    yield Metric("RequestsInFlightLimit", "1", "How many may be under way", partial(_peak_busy, column="limit"))
    yield Metric("RequestsQueued", "1", "Mean number of requests waiting", partial(_mean_busy, column="queued_ms"))
    yield Metric(
        "ConcurrencyUtilizationPercentage",
        "%",
        "Requests under way and waiting, of what fits at once",
        concurrency_used,
    )
    yield Metric("ColdStarts", "1", "Times it was woken", partial(_woken, column="cold_starts"))
    yield Metric("RequestsHeld", "1", "Requests that waited for it to wake", partial(_woken, column="held"))
    yield Metric("RequestsHeldInVain", "1", "Requests that waited too long for it", partial(_woken, column="given_up"))
    for percent in (50, 99):
        text = f"Time {percent} % of the held requests waited at most"
        yield Metric(f"HoldTime_P{percent}", "ms", text, partial(_hold_time, quantile=percent / 100))
    for percent in (50, 99):
        lines = partial(_percentile, quantile=percent / 100, which=model)
        text = f"Time the instance takes for {percent} % of the requests at most"
        yield Metric(f"ModelLatency_P{percent}", "ms", text, lines)
    yield Metric("AgreementPercentage", "%", "Pairs of answers in which live and shadow agree", agreement_percent)
    yield Metric("ComparedPairsPerMinute", "1/min", "Pairs of answers by verdict", compared_per_minute)
    yield Metric("GatewayLatency", "ms", "Mean time spent outside the instance", gateway_time)


METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _all()}


def metric_named(name: str) -> Metric:
    """The metric `name` means, whatever its case; Invalid for a word that is none."""
    found = {known.lower(): metric for known, metric in METRICS.items()}.get(name.lower())
    if found is None:
        message = f"There is no metric {name[:60]!r}; there are {', '.join(METRICS)}."
        raise Invalid(f"name: {message}", details=[FieldError("name", message)])
    return found
