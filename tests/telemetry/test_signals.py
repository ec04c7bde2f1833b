"""The numbers the autoscaler asks for, and the silence it must not take for calm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from endpoints.models import Instance, InstanceRollup, OnlineDeployment, OnlineEndpoint
from endpoints.spec.counters import STREAM, Gauge, Held
from endpoints.spec.histogram import Histogram
from endpoints.spec.scaling_rules import Scope, read_condition
from endpoints.telemetry.cells import Cell, Cells
from endpoints.telemetry.heartbeats import are_counts_fresh
from endpoints.telemetry.holds import count_cold_start
from endpoints.telemetry.intake import take
from endpoints.telemetry.metrics import METRICS
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.rollups import add_finest, locked
from endpoints.telemetry.signals import Signals
from endpoints.telemetry.windows import window_of
from tests.telemetry.world import NOW, batch, encoded, series

pytestmark = pytest.mark.django_db
# When all of NOW's slot has arrived.
SOON = NOW + timedelta(seconds=20)


@pytest.fixture
def blue() -> OnlineDeployment:
    """Made long ago."""
    endpoint = OnlineEndpoint.objects.create(name="risk")
    row = OnlineDeployment.objects.create(endpoint=endpoint, name="blue", instance_type="Standard_DS3_v2")
    long_ago = NOW - timedelta(days=1)
    OnlineEndpoint.objects.update(created_at=long_ago)
    OnlineDeployment.objects.update(updated_at=long_ago)
    return OnlineDeployment.objects.select_related("endpoint").get(pk=row.pk)


def answer(
    row: OnlineDeployment, condition: str, *, scope: Scope = "deployment", now: datetime = SOON, is_heard: bool = True
) -> float | None:
    question = read_condition(condition, scope=scope).question
    return Signals(row, now, is_heard).answers([question])[question]


def test_requests_a_minute_are_a_mean_over_the_whole_window(blue: OnlineDeployment) -> None:
    take(encoded(batch(1, series("blue", 5, 6), series("green", 7))), now=NOW)
    assert answer(blue, "RequestsPerMinute > 0 avg 1m") == pytest.approx(2.0)
    assert answer(blue, "RequestsPerMinute > 0 max 1m") == pytest.approx(12.0)
    assert answer(blue, "RequestsPerMinute > 0 avg 1m", scope="endpoint") == pytest.approx(3.0)


def test_latency_is_that_of_all_requests_together(blue: OnlineDeployment) -> None:
    take(encoded(batch(1, series("blue", *[10.0] * 98, 500.0, 500.0))), now=NOW)
    assert answer(blue, "RequestLatency > 0 p50 1m") == pytest.approx(10, rel=0.03)
    assert answer(blue, "RequestLatency > 0 p99 1m") == pytest.approx(500, rel=0.03)
    assert answer(blue, "RequestLatency > 0 avg 1m") == pytest.approx(19.8, rel=0.03)


def test_concurrency_is_counted_against_what_fits_at_once(blue: OnlineDeployment) -> None:
    gauge = Gauge(endpoint="risk", deployment="blue", in_flight=6, limit=8)  # four at once
    take(encoded(batch(1, gauges=(gauge,), lasted_ms=10_000)), now=NOW)
    assert answer(blue, "ConcurrencyUtilizationPercentage > 0 max 1m") == pytest.approx(150)
    assert answer(blue, "ConcurrencyUtilizationPercentage > 0 avg 1m") == pytest.approx(25)


def test_what_instances_use_is_their_mean(blue: OnlineDeployment) -> None:
    start_s = int(NOW.timestamp()) // 10 * 10
    rest, peaks = [0] * (len(InstanceRollup.SUMS) - 3), [0] * (len(InstanceRollup.PEAKS) - 2)
    used: Cells = {
        (start_s, "risk", "blue", name): Cell([1, cpu, 0, *rest], [cpu, 0, *peaks], [])
        for name, cpu in (("a", 9000), ("b", 3000))
    }
    with locked():
        add_finest({InstanceRollup: used})
    assert answer(blue, "CpuUtilizationPercentage > 0 avg 1m", is_heard=False) == pytest.approx(60)


def test_nobody_asking_is_zero_and_hearing_nothing_is_not(blue: OnlineDeployment) -> None:
    assert answer(blue, "RequestsPerMinute > 0 avg 1m") == 0
    assert answer(blue, "RequestsPerMinute > 0 avg 1m", is_heard=False) is None
    assert answer(blue, "RequestLatency > 0 avg 1m") is None
    assert answer(blue, "CpuUtilizationPercentage > 0 avg 1m") is None


def idle_s(row: OnlineDeployment, *, now: datetime, is_heard: bool = True) -> float | None:
    return Signals(row, now, is_heard).idle_s(600)


def test_it_is_idle_since_the_last_request(blue: OnlineDeployment) -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    found = idle_s(blue, now=NOW + timedelta(seconds=300))
    assert found is not None and 285 <= found <= 300
    assert idle_s(blue, now=NOW, is_heard=False) is None


def test_a_long_request_under_way_is_no_idling(blue: OnlineDeployment) -> None:
    gauge = Gauge(endpoint="risk", deployment="blue", in_flight=1, limit=2)
    take(encoded(batch(1, gauges=(gauge,))), now=NOW)
    found = idle_s(blue, now=NOW + timedelta(seconds=20))
    assert found is not None and found <= 20


def test_a_new_instance_gets_its_whole_time(blue: OnlineDeployment) -> None:
    Instance.objects.create(id="blue-1", deployment=blue, revision=1, state="Ready", ready_at=NOW)
    assert idle_s(blue, now=NOW + timedelta(seconds=30)) == 30


class Redis:
    """As much of Redis as is asked for."""

    def __init__(self, beats: dict[bytes, float], oldest: float | None = None) -> None:
        self.beats, self.oldest = beats, oldest

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        return {name: str(int((NOW.timestamp() - age) * 1000)).encode() for name, age in self.beats.items()}

    def xrange(self, key: str, *, count: int) -> list[tuple[bytes, object]]:
        assert key == STREAM
        return [(b"%d-0" % int((NOW.timestamp() - self.oldest) * 1000), {})] if self.oldest is not None else []


@pytest.mark.parametrize(
    ("beats", "oldest", "is_fresh"),
    [
        ({b"a": 3.0}, None, True),
        ({}, None, False),  # no gateway was ever heard of
        ({b"a": 3.0, b"b": 40.0}, None, False),  # one of two is not heard
        ({b"a": 3.0, b"b": 4000.0}, None, True),  # one is long gone
        ({b"a": 3.0}, 2.0, True),
        ({b"a": 3.0}, 60.0, False),  # counts lie there that nobody takes
    ],
)
def test_counts_are_fresh_when_every_gateway_is_heard(beats: Any, oldest: float | None, is_fresh: bool) -> None:
    assert are_counts_fresh(Redis(beats, oldest), now=NOW) is is_fresh  # type: ignore[arg-type]


def test_wakings_and_what_waited_for_them_are_metrics(blue: OnlineDeployment) -> None:
    count_cold_start("risk", "blue", now=NOW)
    waited = Histogram()
    for _ in range(3):
        waited.add(2.0)
    held = Held(endpoint="risk", deployment="blue", answered=3, given_up=1, waited=waited)
    take(encoded(batch(1, held=(held,))), now=NOW)
    readings = Readings("risk", window_of("15m", now=NOW + timedelta(seconds=40)), "blue")
    found = {
        name: sum(value or 0 for value in METRICS[name].lines(readings)[0].points)
        for name in ("ColdStarts", "RequestsHeld", "RequestsHeldInVain", "HoldTime_P50")
    }
    assert found == {
        "ColdStarts": 1,
        "RequestsHeld": 3,
        "RequestsHeldInVain": 1,
        "HoldTime_P50": pytest.approx(2000, rel=0.03),
    }
