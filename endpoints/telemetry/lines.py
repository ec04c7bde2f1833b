"""Lines over time: values by labels and step, laid out over the steps of a window. Knows no metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from endpoints.telemetry.readings import Readings

Points = list[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a metric: its dimensions, and a value for every step of the window (None: nothing to tell)."""

    dimensions: Mapping[str, str]
    points: Points


Labels = tuple[tuple[str, str], ...]


def lines_of(readings: Readings, values: Mapping[Labels, Mapping[int, float]], *, zero: bool) -> list[Line]:
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
