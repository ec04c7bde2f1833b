"""Small charts of a rollout's stage as plain shapes: what is kept of a stage is drawn without scripts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM = 320.0, 110.0, 34.0, 14.0
TITLES = {"ErrorPercentage": ("Errors", "%"), "RequestLatency_P99": ("Latency p99", "ms")}


@dataclass(frozen=True, slots=True)
class PlotLine:
    """One deployment. parts: stretches of points without a gap, as SVG wants them; dots: lone points."""

    name: str
    colour: str
    parts: Sequence[str]
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """One metric over a stage. begins, ends: times for the axis; summary: the chart in words."""

    title: str
    unit: str
    top: str
    lines: Sequence[PlotLine]
    begins: str
    ends: str
    summary: str


def plots_of(chart: Mapping[str, Any] | None, colours: Mapping[str, str]) -> list[Plot]:
    """The charts kept with a stage (`telemetry.close.chart`), one a metric; those with nothing to tell are left out."""
    if not chart:
        return []
    return [plot for metric in TITLES if (plot := _plot(metric, chart, colours))]


def _plot(metric: str, chart: Mapping[str, Any], colours: Mapping[str, str]) -> Plot | None:
    rows = [line for line in chart["lines"] if line["metric"] == metric]
    told = [point for line in rows for point in line["points"] if point is not None]
    if not told:
        return None
    top = _round_up(max(told))
    lines = [_line(line, int(chart["steps"]), top, colours.get(line["deployment"], "var(--series-8)")) for line in rows]
    title, unit = TITLES[metric]
    words = (f"{line['deployment']} {_range(line['points'])}" for line in rows)
    ends_s = chart["start_s"] + chart["step_s"] * chart["steps"]
    summary = f"{title} in {unit}: {'; '.join(words)}"
    return Plot(title, unit, f"{top:g}", lines, _clock(chart["start_s"]), _clock(ends_s), summary)


def _line(line: Mapping[str, Any], steps: int, top: float, colour: str) -> PlotLine:
    parts, dots = [], []
    for part in _stretches(line["points"]):
        places = [(_x(index, steps), _y(value, top)) for index, value in part]
        if len(places) == 1:
            dots.append(places[0])
        else:
            parts.append(" ".join(f"{x:.1f},{y:.1f}" for x, y in places))
    return PlotLine(line["deployment"], colour, parts, dots)


def _stretches(points: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    part: list[tuple[int, float]] = []
    for index, value in enumerate(points):
        if value is not None:
            part.append((index, value))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _x(index: int, steps: int) -> float:
    return round(LEFT + (index + 0.5) / max(steps, 1) * (WIDTH - LEFT - 4), 1)


def _y(value: float, top: float) -> float:
    return round(4 + (1 - value / top) * (HEIGHT - BOTTOM - 4), 1)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 … that is no smaller."""
    size = 0.1
    while True:
        for factor in (1, 2, 5):
            if value <= size * factor:
                return size * factor
        size *= 10


def _range(points: Sequence[float | None]) -> str:
    told = [point for point in points if point is not None]
    return f"{min(told):.3g} to {max(told):.3g}" if told else "nothing"


def _clock(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%H:%M:%S}"
