"""Charts as figures for Plotly, plain JSON made on the server, and the same numbers as tables.

Colours are names of CSS variables, `var(--name)` or `var(--name) / opacity`: static/js/charts.js resolves them, and
again when the theme changes. It knows charts and readings; no metric, no request, no person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from endpoints.selectors import Mark
from endpoints.telemetry.lines import Points
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.windows import Window
from studio.charts import LINE, Chart, Palette, Trace

Figure = dict[str, Any]


def figure(chart: Chart, readings: Readings, palette: Palette, marks: Sequence[Mark] = ()) -> Figure:
    """The chart for Plotly.react."""
    window = readings.window
    traces = chart.traces(readings, palette)
    data = [_trace(chart, trace, window) for trace in traces]
    if marks:
        data.append(_mark_trace(marks))
    return {"data": data, "layout": _layout(chart, window, marks), "isEmpty": not traces}


def _trace(chart: Chart, trace: Trace, window: Window) -> dict[str, Any]:
    place = {"x0": window.times[0], "dx": window.step_s * 1000, "name": trace.name}
    points = [None if value is None else _short(value) for value in trace.points]
    hover = f"%{{y:,.3~f}}{chart.unit and ' ' + chart.unit}"
    if chart.is_bars:
        colour = {"marker": {"color": trace.colour, "line": {"width": 0}}, "offset": 0}
        return {"type": "bar", "y": points, "hovertemplate": hover, **place, **colour}
    look = dict(trace.look or LINE)
    look["line"] = {**look.get("line", {}), "color": trace.colour}
    if "fillcolor" in look:
        look["fillcolor"] = f"{trace.colour} / 0.35"
    return {"type": "scatter", "mode": "lines", "y": points, "hovertemplate": hover, **place, **look}


def _short(value: float) -> float:
    """Four digits are more than a chart can show."""
    return float(f"{value:.4g}")


def _mark_trace(marks: Sequence[Mark]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "changes",
        "showlegend": False,
        "x": [_stamp(mark.at) for mark in marks],
        "y": [1] * len(marks),
        "yaxis": "y2",
        "cliponaxis": False,
        "text": [f"{mark.text}{'' if mark.state == 'Succeeded' else f' ({mark.state})'}" for mark in marks],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": "triangle-down",
            "size": 9,
            "color": ["var(--bad)" if mark.state == "Failed" else "var(--busy)" for mark in marks],
        },
    }


def _layout(chart: Chart, window: Window, marks: Sequence[Mark]) -> dict[str, Any]:
    quiet = {"gridcolor": "var(--line)", "linecolor": "var(--line)", "zeroline": False, "fixedrange": True}
    ends = [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (window.start_s, window.end_s)]
    return {
        "barmode": "stack",
        "bargap": 0.15,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--text-2)", "size": 11, "family": "system-ui, sans-serif"},
        "margin": {"l": 8, "r": 12, "t": 14, "b": 8},
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--line-strong)",
            "font": {"color": "var(--text)"},
        },
        "legend": {
            "orientation": "h",
            "yref": "container",
            "y": 0.02,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "normal",
        },
        "showlegend": True,
        "xaxis": {
            **quiet,
            "type": "date",
            "range": ends,
            "showgrid": False,
            "automargin": True,
            "nticks": 6,
            "tickangle": 0,
        },
        "yaxis": {
            **quiet,
            "automargin": True,
            "rangemode": "tozero",
            "nticks": 5,
            "ticksuffix": f" {chart.unit}" if chart.unit in {"ms", "%"} else "",
            **({"autorangeoptions": {"include": [0, chart.top]}} if chart.top is not None else {}),
        },
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "shapes": [_mark_shape(mark) for mark in marks],
    }


def _mark_shape(mark: Mark) -> dict[str, Any]:
    at = _stamp(mark.at)
    line = {"color": "var(--line-strong)", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a chart: a row for every step in which there is any, newest first."""

    columns: list[str]
    rows: list[tuple[datetime, Points]]


def table(chart: Chart, readings: Readings, palette: Palette) -> Table:
    """The chart as a table."""
    traces = chart.traces(readings, palette)
    starts = readings.window.starts
    steps: dict[int, Points] = defaultdict(list)
    for trace in traces:
        for start_s, value in zip(starts, trace.points, strict=True):
            steps[start_s].append(value)
    told = [(datetime.fromtimestamp(start, UTC), values) for start, values in steps.items() if any_told(values)]
    unit = f", {chart.unit}" if chart.unit else ""
    return Table([f"{trace.name}{unit}" for trace in traces], told[::-1])


def any_told(values: Points) -> bool:
    """Whether one of them is a number."""
    return any(value is not None for value in values)
