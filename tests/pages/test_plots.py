"""The charts kept with a stage, as shapes."""

from __future__ import annotations

from typing import Any

from studio.plots import HEIGHT, WIDTH, plots_of


def chart(*points: float | None, metric: str = "ErrorPercentage") -> dict[str, Any]:
    lines = [{"deployment": "green", "metric": metric, "points": list(points)}]
    return {"start_s": 0, "step_s": 10, "steps": len(points), "lines": lines}


def test_a_gap_ends_a_line_and_a_lone_point_is_a_dot() -> None:
    (plot,) = plots_of(chart(1.0, 2.0, None, 3.0), {"green": "var(--series-green)"})
    (line,) = plot.lines
    assert (len(line.parts), len(line.dots), line.colour) == (1, 1, "var(--series-green)")
    assert (plot.begins, plot.ends, plot.top) == ("00:00:00", "00:00:40", "5")


def test_every_point_is_within_the_picture() -> None:
    (plot,) = plots_of(chart(0.0, 0.0004, 99999.0, metric="RequestLatency_P99"), {})
    places = [tuple(map(float, pair.split(","))) for part in plot.lines[0].parts for pair in part.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_nothing_told_draws_nothing() -> None:
    assert plots_of(None, {}) == [] == plots_of(chart(None, None), {})
