"""Two deployments over any stretch: by the second where an endpoint is watched, by the ordinary slots elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest

from endpoints.spec.errors import Invalid
from endpoints.telemetry import close, intake
from endpoints.telemetry.metrics import METRICS
from endpoints.telemetry.rollups import CLOSE_S, FINEST_S, MINUTE_S
from tests.telemetry.world import NOW, batch, encoded, series


@pytest.mark.parametrize(
    ("seconds", "is_close", "grain_s"),
    [
        (30, True, CLOSE_S),
        (900, True, CLOSE_S),
        (901, True, FINEST_S),
        (30, False, FINEST_S),
        (6 * 3600, True, MINUTE_S),
    ],
)
def test_a_stretch_is_read_as_finely_as_it_is_kept(seconds: int, is_close: bool, grain_s: int) -> None:
    window = close.stretch(NOW - timedelta(seconds=seconds), NOW, is_close=is_close)
    assert window.grain_s == grain_s and window.start_s % grain_s == 0
    assert list(window.starts) == [window.start_s]


def test_a_stretch_begins_after_what_came_before_it(db: None) -> None:
    for second in (9, 10, 11):
        found = [batch(second, series("blue", 10.0), at=NOW + timedelta(seconds=second))]
        intake.take(encoded(*found), now=NOW)
    since = NOW + timedelta(seconds=9.5)
    window = close.stretch(since, NOW + timedelta(seconds=30), is_close=False)
    assert close.measure("risk", "blue", window).requests == 2


def test_errors_codes_and_percentiles_are_those_of_the_one_deployment(db: None) -> None:
    good, bad, other = series("blue", 10.0, 20.0, 30.0), series("blue", 5.0, status=424), series("green", 99.0)
    intake.take(encoded(batch(1, good, bad, other)), now=NOW)
    window = close.stretch(NOW - timedelta(seconds=30), NOW, is_close=False)
    found = close.measure("risk", "blue", window, ["ErrorPercentage", "RequestLatency_P99", "CpuUtilizationPercentage"])
    assert (found.requests, found.errors, found.codes) == (4, 1, {"200": 3, "424": 1})
    assert found.error_percent == found.values["ErrorPercentage"] == 25.0
    assert found.p99_ms == pytest.approx(30, rel=0.03)
    assert found.values["CpuUtilizationPercentage"] is None


def test_nothing_measured_is_nothing_and_not_zero(db: None) -> None:
    found = close.measure("risk", "blue", close.stretch(NOW, NOW, is_close=True), ["RequestLatency_P99"])
    assert (found.requests, found.error_percent, found.values["RequestLatency_P99"]) == (0, None, None)


def test_a_chart_has_few_steps_however_long_the_stage_was(db: None) -> None:
    intake.take(encoded(batch(1, series("blue", 10.0))), now=NOW)
    chart = close.chart("risk", ["blue", "green"], NOW - timedelta(hours=2), NOW)
    assert isinstance(chart["steps"], int) and chart["steps"] <= close.CHART_STEPS + 1


@pytest.mark.parametrize("word", ["error_rate", "P99", "requestlatency_p50", "cpu"])
def test_metrics_go_by_short_names_and_any_case(word: str) -> None:
    assert close.gate_metric(word, field_name="gates[0].metric").name in METRICS


def test_what_no_deployment_has_by_itself_is_no_gate() -> None:
    with pytest.raises(Invalid, match="all endpoints together"):
        close.gate_metric("ConnectionsActive", field_name="gates[0].metric")
