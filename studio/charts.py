"""The charts: what each shows of the metrics, in which lines and colours, named as CSS variables.

It knows readings and metrics; nothing of what a figure is drawn with, no request, no person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from endpoints.spec.agreement import Kind
from endpoints.telemetry.latency import model
from endpoints.telemetry.lines import Line, Points
from endpoints.telemetry.metrics import METRICS, percentiles
from endpoints.telemetry.readings import Readings

# The colour of a deployment by its name; any name must have one.
Palette = Callable[[str], str]

SERIES = ("var(--series-blue)", "var(--series-green)", *(f"var(--series-{number})" for number in range(3, 9)))
CODE_COLOURS = {
    "200": "var(--series-blue)",
    "408": "var(--series-3)",
    "424": "var(--series-4)",
    "429": "var(--series-7)",
    "499": "var(--series-8)",
}
CLASS_COLOURS = {"2": "var(--series-green)", "3": "var(--series-6)", "4": "var(--series-5)", "5": "var(--bad)"}
STATE_COLOURS = {
    "Ready": "var(--series-green)",
    "Starting": "var(--series-4)",
    "Unready": "var(--series-3)",
    "Draining": "var(--series-8)",
}
# How pairs of answers end: the word for it, and its colour.
VERDICTS = {
    Kind.EXACT: ("the same", "var(--series-green)"),
    Kind.CLOSE: ("close", "var(--series-6)"),
    Kind.DIFFERENT: ("different", "var(--series-5)"),
    Kind.SHADOW_ERROR: ("shadow failed", "var(--series-3)"),
    Kind.NOT_COMPARABLE: ("not comparable", "var(--series-8)"),
    Kind.LEFT_OUT: ("left out", "var(--text-3)"),
}
QUANTILES = {
    0.5: ("p50", "solid", 2.0),
    0.9: ("p90", "dash", 1.4),
    0.95: ("p95", "dot", 1.4),
    0.99: ("p99", "solid", 1.0),
}


LINE: Mapping[str, Any] = {"line": {"width": 1.6, "dash": "solid"}}


@dataclass(frozen=True, slots=True)
class Trace:
    """One line or bar series. look: further Plotly attributes; those of `LINE` where there are none."""

    name: str
    points: Points
    colour: str
    look: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: what it shows, in which unit, and of which traces it is made."""

    key: str
    title: str
    text: str
    unit: str
    traces: Callable[[Readings, Palette], list[Trace]] = field(repr=False)
    is_bars: bool = False
    top: float | None = None  # where the axis ends at least


def _line(width: float, dash: str = "solid") -> dict[str, Any]:
    return {"line": {"width": width, "dash": dash}}


def _area(group: str) -> dict[str, Any]:
    """Stacked steps."""
    return {"stackgroup": group, "line": {"width": 1, "shape": "hv"}, "fillcolor": ""}


def _summed(lines: Iterable[Line], dimension: str) -> dict[str, Points]:
    """The lines added up for every value of one dimension, in the order of the values."""
    found: dict[str, Points] = {}
    for line in lines:
        name = line.dimensions[dimension]
        found[name] = (
            [_plus(*pair) for pair in zip(found[name], line.points, strict=True)] if name in found else line.points
        )
    return dict(sorted(found.items()))


def _plus(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


# The charts ----------------------------------------------------------------------------------------------------


def code_colour(code: str) -> str:
    """One colour per code people meet often, one per class for the others."""
    return CODE_COLOURS.get(code, CLASS_COLOURS.get(code[:1], "var(--text-3)"))


def _requests(readings: Readings, _: Palette) -> list[Trace]:
    by_code = _summed(METRICS["RequestsPerMinute"].lines(readings), "statusCode")
    return [Trace(code, points, code_colour(code)) for code, points in by_code.items()]


def _latency(readings: Readings, palette: Palette, *, quantiles: Sequence[float] = tuple(QUANTILES)) -> list[Trace]:
    traces = []
    for quantile, lines in zip(quantiles, percentiles(readings, tuple(quantiles)), strict=True):
        word, dash, width = QUANTILES[quantile]
        for line in lines:
            name = line.dimensions["deployment"]
            traces.append(Trace(f"{name} {word}", line.points, palette(name), _line(width, dash)))
    return sorted(traces, key=lambda trace: trace.name)


def _latency_short(readings: Readings, palette: Palette) -> list[Trace]:
    return _latency(readings, palette, quantiles=(0.5, 0.99))


def _by_deployment(metric: str, suffix: str = "", **look: Any) -> Callable[[Readings, Palette], list[Trace]]:
    def traces(readings: Readings, palette: Palette) -> list[Trace]:
        found = _summed(METRICS[metric].lines(readings), "deployment")
        return [
            Trace(f"{name or 'no deployment'}{suffix}", points, palette(name), look or LINE)
            for name, points in found.items()
            if name or any(points)
        ]

    return traces


def _concurrency(readings: Readings, palette: Palette) -> list[Trace]:
    mean = _by_deployment("RequestsInFlight")(readings, palette)
    peak = _by_deployment("RequestsInFlightPeak", " peak", **_line(1, "dot"))(readings, palette)
    limit = _by_deployment("RequestsInFlightLimit", " limit", **_line(1.4, "dash"), connectgaps=True)(readings, palette)
    queued = _by_deployment("RequestsQueued", " queued", **_line(1, "dashdot"))(readings, palette)
    return [*mean, *peak, *limit, *(trace for trace in queued if any(trace.points))]


def _rejected(readings: Readings, _: Palette) -> list[Trace]:
    by_reason = _summed(METRICS["RequestsRejectedPerMinute"].lines(readings), "reason")
    return [
        Trace(reason, points, SERIES[(index + 2) % len(SERIES)])
        for index, (reason, points) in enumerate(by_reason.items())
    ]


def _of_model(lines: Iterable[Line], palette: Palette, suffix: str, **look: Any) -> list[Trace]:
    names = [(line.dimensions["deployment"], line.points) for line in lines]
    return [Trace(f"{name}{suffix}", points, palette(name), look) for name, points in names]


def _where_time_goes(readings: Readings, palette: Palette) -> list[Trace]:
    half, most = percentiles(readings, (0.5, 0.99), which=model)  # both of one walk through the histograms
    return [
        *_of_model(half, palette, " model p50", **_line(2)),
        *_of_model(most, palette, " model p99", **_line(1)),
        *_by_deployment("GatewayLatency", " gateway mean", **_line(1.4, "dot"))(readings, palette),
    ]


def _network(readings: Readings, _: Palette) -> list[Trace]:
    found = _summed(METRICS["NetworkBytes"].lines(readings), "direction")
    colours = {"in": SERIES[0], "out": SERIES[1]}
    return [Trace({"in": "received", "out": "sent"}[name], points, colours[name]) for name, points in found.items()]


def _by_instance(metric: str) -> Callable[[Readings, Palette], list[Trace]]:
    def traces(readings: Readings, _: Palette) -> list[Trace]:
        named = sorted((_place(line), line.points) for line in METRICS[metric].lines(readings))
        return [Trace(name, points, SERIES[at % len(SERIES)]) for at, (name, points) in enumerate(named)]

    return traces


def _place(line: Line) -> str:
    """Which instance, and which of its disks."""
    return " ".join(line.dimensions[name] for name in ("instanceId", "disk") if name in line.dimensions)


def _used(metric: str) -> Callable[[Readings, Palette], list[Trace]]:
    """The mean of each instance, and the most and the least that any of them used within a step."""
    means = _by_instance(metric)

    def traces(readings: Readings, palette: Palette) -> list[Trace]:
        edges = [
            Trace(word, points, "var(--text-3)", _line(1, "dot"))
            for word, suffix, pick in (("most", "Maximum", max), ("least", "Minimum", min))
            if any(points := _edge(METRICS[f"{metric}_{suffix}"].lines(readings), pick))
        ]
        return [*means(readings, palette), *edges]

    return traces


def _edge(lines: Sequence[Line], pick: Callable[[Sequence[float]], float]) -> Points:
    """The highest or lowest of several lines at each point; None where none has one."""
    columns = zip(*(line.points for line in lines), strict=True)
    return [pick(known) if (known := [each for each in column if each is not None]) else None for column in columns]


def _instances(readings: Readings, palette: Palette) -> list[Trace]:
    """By state for one deployment; ready ones by deployment, and what is not ready, for all of them."""
    lines = METRICS["DeploymentCapacity"].lines(readings)
    if readings.deployment:
        found = _summed(lines, "State")
        return [Trace(state, points, _state_colour(state), _area("states")) for state, points in found.items()]
    ready = _summed((line for line in lines if line.dimensions["State"] == "Ready"), "deployment")
    other = _summed((line for line in lines if line.dimensions["State"] != "Ready"), "State")
    return [
        *(Trace(f"{name} ready", points, palette(name), _area("all")) for name, points in ready.items()),
        *(Trace(state.lower(), points, _state_colour(state), _area("all")) for state, points in other.items()),
    ]


def _agreement(readings: Readings, palette: Palette) -> list[Trace]:
    lines = METRICS["AgreementPercentage"].lines(readings)
    return [
        Trace(f"{line.dimensions['shadow']} with {line.dimensions['deployment']}", line.points, colour, _line(2))
        for line in lines
        for colour in (palette(line.dimensions["shadow"] if len(lines) == 1 else line.dimensions["deployment"]),)
    ]


def _compared(readings: Readings, _: Palette) -> list[Trace]:
    found = _summed(METRICS["ComparedPairsPerMinute"].lines(readings), "kind")
    return [Trace(word, found[kind], colour) for kind, (word, colour) in VERDICTS.items() if kind in found]


def _state_colour(state: str) -> str:
    return STATE_COLOURS.get(state, "var(--text-3)")


CHARTS = {
    chart.key: chart
    for chart in (
        Chart("requests", "Requests", "a minute, by code", "/min", _requests, is_bars=True),
        Chart("latency", "Latency", "p50, p90, p95 and p99 by deployment", "ms", _latency),
        Chart("errors", "Errors", "408, 424, 429 and 5xx of all requests", "%", _by_deployment("ErrorPercentage")),
        Chart("concurrency", "Concurrency", "requests under way, and how many may be", "", _concurrency),
        Chart("instances", "Instances", "by state", "", _instances),
        Chart("cpu", "CPU", "of what the instance type gives", "%", _used("CpuUtilizationPercentage"), top=1),
        Chart("memory", "Memory", "of the instance type", "%", _used("CpuMemoryUtilizationPercentage"), top=1),
        Chart("time", "Model and gateway time", "where a request spends its time", "ms", _where_time_goes),
        Chart("rejected", "Rejected", "by the gateway, a minute, by reason", "/min", _rejected, is_bars=True),
        Chart("network", "Network", "bodies received and sent", "B/s", _network),
    )
}
# Further ones, which are not drawn among the others: their numbers are in tables.
TABLES = {
    chart.key: chart
    for chart in (
        Chart("disk", "Disk", "of the space the instance may write to", "%", _used("DiskUtilization"), top=100),
        Chart("gpu", "GPU", "of the GPUs the instance was given", "%", _used("GpuUtilizationPercentage"), top=100),
        Chart("gpu-memory", "GPU memory", "of its GPUs", "%", _used("GpuMemoryUtilizationPercentage"), top=100),
        Chart("gpu-energy", "GPU energy", "drawn in each step", "J", _by_instance("GpuEnergyJoules")),
    )
}
# The small one of the overview.
LATENCY_SHORT = Chart("latency-short", "Latency", "p50 and p99 by deployment", "ms", _latency_short)


# Those of a comparison, on its own page.
COMPARISON_CHARTS = {
    chart.key: chart
    for chart in (
        Chart("agreement", "Agreement over time", "of the pairs compared", "%", _agreement, top=100),
        Chart("compared", "Pairs over time", "a minute, by verdict", "/min", _compared, is_bars=True),
    )
}
