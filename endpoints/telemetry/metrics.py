"""The metrics by name: Azure's (contract B8) and our own, each a function from readings to lines over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from endpoints.spec.agreement import AGREEING, COMPARED
from endpoints.spec.errors import FieldError, Invalid
from endpoints.telemetry.latency import (
    ByDeployment,
    holds_by_deployment,
    means_by_deployment,
    model,
    outside_by_deployment,
    quantiles_by_deployment,
    whole,
)
from endpoints.telemetry.readings import Readings, Traffic, Used, Which

Points = list[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a metric: its dimensions, and a value for every step of the window (None: nothing to tell)."""

    dimensions: Mapping[str, str]
    points: Points


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: what it is called, counted in, split by, and how it is worked out."""

    name: str
    unit: str
    text: str
    lines: Callable[[Readings], list[Line]] = field(repr=False)


Labels = tuple[tuple[str, str], ...]


def _lines(readings: Readings, values: Mapping[Labels, Mapping[int, float]], *, zero: bool) -> list[Line]:
    """Lines in the order of their labels; `zero`: a step without a row means 0 rather than nothing, once over."""
    window = readings.window
    blanks = [
        (start_s, 0.0 if zero and is_told else None)
        for start_s, is_told in zip(window.starts, window.told, strict=True)
    ]
    found = []
    for labels in sorted(values):
        value_of = values[labels].get
        found.append(Line(dict(labels), [value_of(start_s, blank) for start_s, blank in blanks]))
    return found


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
    return _lines(readings, sums, zero=True)


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
    return _lines(readings, values, zero=False)


# Latency -------------------------------------------------------------------------------------------------------


def percentiles(readings: Readings, quantiles: tuple[float, ...], *, which: Which = whole) -> list[list[Line]]:
    """For every quantile its lines by deployment, in milliseconds."""
    return [_by_deployment(readings, each) for each in quantiles_by_deployment(readings, quantiles, which=which)]


def _by_deployment(readings: Readings, values: ByDeployment) -> list[Line]:
    return _lines(readings, {(("deployment", name),): steps for name, steps in values.items()}, zero=False)


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
    return _lines(readings, values, zero=True)


def _peak_busy(readings: Readings, *, column: str) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.busy:
        steps = values[("deployment", row.deployment),]
        start_s = row.start_s
        steps[start_s] = max(steps[start_s], float(getattr(row, column)))
    return _lines(readings, values, zero=column != "limit")


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
    return _lines(readings, values, zero=True)


# Sleeping and waking -------------------------------------------------------------------------------------------


def _woken(readings: Readings, *, column: str) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.woken:
        values[("deployment", row.deployment),][row.start_s] += getattr(row, column)
    return _lines(readings, values, zero=True)


def _hold_time(readings: Readings, *, quantile: float) -> list[Line]:
    return _by_deployment(readings, holds_by_deployment(readings, quantile))


def connections_active(readings: Readings) -> list[Line]:
    values: dict[int, float] = defaultdict(float)
    for row in readings.connections:
        if over_s := readings.window.seconds_of(row.start_s):
            values[row.start_s] += row.open_ms / 1000 / over_s
    return _lines(readings, {(("scope", "gateway"),): values}, zero=True)


def new_connections(readings: Readings) -> list[Line]:
    values: dict[int, float] = defaultdict(float)
    for row in readings.connections:
        if over_s := readings.window.seconds_of(row.start_s):
            values[row.start_s] += row.accepted / over_s
    return _lines(readings, {(("scope", "gateway"),): values}, zero=True)


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
    return _lines(readings, values, zero=False)


def compared_per_minute(readings: Readings) -> list[Line]:
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.compared:
        if over_s := readings.window.seconds_of(row.start_s):
            values[("kind", row.kind),][row.start_s] += row.pairs * 60 / over_s
    return _lines(readings, values, zero=True)


# Instances -----------------------------------------------------------------------------------------------------


def _used(readings: Readings, *, amount: str, samples: str = "samples") -> list[Line]:
    """Mean percent over the samples of a step."""
    sums: dict[Labels, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for row in readings.used:
        if getattr(row, samples):
            place = sums[_instance(row)][row.start_s]
            place[0] += getattr(row, amount)
            place[1] += getattr(row, samples)
    values = {
        labels: {start: total / count / 100 for start, (total, count) in steps.items()}
        for labels, steps in sums.items()
    }
    return _lines(readings, values, zero=False)


def _most_used(readings: Readings, *, peak: str) -> list[Line]:
    """The highest percent seen in a step."""
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in readings.used:
        steps = values[_instance(row)]
        steps[row.start_s] = max(steps[row.start_s], getattr(row, peak) / 100)
    return _lines(readings, values, zero=False)


def _least_used(readings: Readings, *, spare: str) -> list[Line]:
    """The lowest percent seen in a step."""
    values: dict[Labels, dict[int, float]] = defaultdict(dict)
    for row in readings.used:
        least = max(0.0, 100 - getattr(row, spare) / 100)
        steps = values[_instance(row)]
        steps[row.start_s] = min(steps.get(row.start_s, least), least)
    return _lines(readings, values, zero=False)


def _instance(row: Used) -> Labels:
    return (("deployment", row.deployment), ("instanceId", row.instance))


def capacity(readings: Readings) -> list[Line]:
    """The most instances that were in a state at once."""
    values: dict[Labels, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    seen: set[int] = set()
    for row in readings.capacity:
        start_s = row.start_s
        seen.add(start_s)
        steps = values[("State", row.state), ("deployment", row.deployment)]
        steps[start_s] = max(steps[start_s], float(row.instances))
    # A look that saw one state and not another saw none in that other.
    for steps in values.values():
        for start_s in seen - steps.keys():
            steps[start_s] = 0.0
    return _lines(readings, values, zero=False)


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
    for name, word in (("Cpu", "CPU"), ("CpuMemory", "Memory")):
        column = word.lower()
        full, of = f"{name}UtilizationPercentage", "of what the instance type gives"
        yield Metric(full, "%", f"{word} used {of}", partial(_used, amount=column))
        yield Metric(f"{full}_Maximum", "%", f"Most {word} used {of}", partial(_most_used, peak=f"peak_{column}"))
        yield Metric(
            f"{full}_Minimum", "%", f"Least {word} used {of}", partial(_least_used, spare=f"peak_spare_{column}")
        )
    for name, text, column in (("Gpu", "GPU", "gpu"), ("GpuMemory", "GPU memory", "gpu_memory")):
        lines = partial(_used, amount=column, samples="gpu_samples")
        yield Metric(f"{name}UtilizationPercentage", "%", f"{text} used of the GPUs the instance was given", lines)
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
