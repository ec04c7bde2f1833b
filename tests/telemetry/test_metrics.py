"""What metrics say of traffic whose every figure is known."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from endpoints.models import DiskRollup, InstanceRollup, TrafficRollup
from endpoints.spec.counters import Gauge
from endpoints.spec.errors import Invalid
from endpoints.telemetry import figures
from endpoints.telemetry.cells import Cell
from endpoints.telemetry.intake import take
from endpoints.telemetry.lines import Line
from endpoints.telemetry.metrics import METRICS, metric_named
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.rollups import add_finest, locked, roll_up
from endpoints.telemetry.windows import RANGES, window_of
from tests.telemetry.world import NOW, batch, encoded, series

pytestmark = pytest.mark.django_db
AFTER = NOW + timedelta(seconds=40)


def lines(name: str, *, range_key: str = "15m", now: datetime = AFTER, deployment: str = "") -> list[Line]:
    return METRICS[name].lines(Readings("risk", window_of(range_key, now=now), deployment))


def told(name: str) -> list[tuple[dict[str, str], list[float]]]:
    """Every line's dimensions and the values it holds, zeros left out."""
    return [(dict(line.dimensions), [value for value in line.points if value]) for line in lines(name)]


def test_requests_a_minute_are_told_by_deployment_and_codes() -> None:
    failed = series("blue", 5, status=424, model_status=500)
    take(encoded(batch(1, series("blue", 5, 6), failed, series("green", 7))), now=NOW)
    found = {(label["deployment"], label["statusCode"]): values for label, values in told("RequestsPerMinute")}
    assert found == {("blue", "200"): [12.0], ("blue", "424"): [6.0], ("green", "200"): [6.0]}
    labels = [label for label, _ in told("RequestsPerMinute") if label["statusCode"] == "424"]
    assert (labels[0]["statusCodeClass"], labels[0]["modelStatusCode"]) == ("4xx", "500")


def test_percentiles_are_by_deployment_and_within_two_percent() -> None:
    take(encoded(batch(1, series("blue", *range(1, 101)), series("green", 40))), now=NOW)
    for name, blue in (("P50", 50), ("P90", 90), ("P95", 95), ("P99", 99)):
        found = {label["deployment"]: values for label, values in told(f"RequestLatency_{name}")}
        assert found == {"blue": [pytest.approx(blue, rel=0.021)], "green": [pytest.approx(40, rel=0.02)]}
    assert dict_of("RequestLatency") == {"blue": [pytest.approx(50.5)], "green": [pytest.approx(40)]}


def dict_of(name: str) -> dict[str, list[float]]:
    return {label["deployment"]: values for label, values in told(name)}


def test_model_time_and_gateway_time_add_up_to_the_whole() -> None:
    refused = series("blue", 1, status=429, model_status=0, reason="TooManyRequests")
    take(encoded(batch(1, series("blue", 20, 40), refused)), now=NOW)
    assert dict_of("GatewayLatency") == {"blue": [pytest.approx(15)]}
    assert dict_of("ModelLatency_P99") == {"blue": [pytest.approx(20, rel=0.02)]}


def test_errors_are_what_the_service_failed_not_what_the_caller_did_wrong() -> None:
    found = [series("blue", 1, status=status, model_status=0) for status in (200, 401, 404, 408, 424, 429, 503, 200)]
    take(encoded(batch(1, *found)), now=NOW)
    assert dict_of("ErrorPercentage") == {"blue": [50.0]}


def test_refusals_are_told_by_reason_and_mirrored_copies_apart() -> None:
    refused = series("blue", 1, status=429, model_status=0, reason="TooManyRequests")
    take(encoded(batch(1, series("blue", 5), refused, series("shadow", 5, is_mirror=True))), now=NOW)
    assert told("RequestsRejectedPerMinute") == [({"deployment": "blue", "reason": "TooManyRequests"}, [6.0])]
    assert dict_of("RequestsMirroredPerMinute") == {"shadow": [6.0]}
    assert {label["deployment"] for label, _ in told("RequestsPerMinute")} == {"blue"}


def test_being_busy_is_a_mean_over_time_beside_its_peak_and_limit() -> None:
    gauges = (Gauge(endpoint="risk", deployment="blue", in_flight=4, queued=2, limit=8),)
    take(encoded(*(batch(number, gauges=gauges, at=NOW + timedelta(seconds=number)) for number in range(5))), now=NOW)
    assert dict_of("RequestsInFlight") == {"blue": [2.0]}
    assert dict_of("RequestsQueued") == {"blue": [1.0]}
    assert dict_of("RequestsInFlightPeak") == {"blue": [4.0]}
    assert dict_of("RequestsInFlightLimit") == {"blue": [8.0]}


def test_connections_and_bytes_are_told_by_second() -> None:
    take(encoded(batch(1, series("blue", 5), connections=20, accepted=30)), now=NOW)
    assert told("ConnectionsActive") == [({"scope": "gateway"}, [2.0])]
    assert told("NewConnectionsPerSecond") == [({"scope": "gateway"}, [3.0])]
    assert told("NetworkBytes") == [({"direction": "in"}, [1.0]), ({"direction": "out"}, [10.0])]


@pytest.mark.parametrize("range_key", RANGES)
def test_every_range_tells_every_request_whatever_is_rolled_up(range_key: str) -> None:
    for number, age_s in enumerate((5, 100, 800)):
        at = AFTER - timedelta(seconds=age_s)
        take(encoded(batch(number, series("blue", 5), at=at)), now=AFTER)
    for rolled_until in (0, 700, 90_000):
        roll_up(now=AFTER + timedelta(seconds=rolled_until))
        later = AFTER + timedelta(seconds=10)
        rows = Readings("risk", window_of(range_key, now=later)).traffic
        assert sum(row.requests for row in rows) == 3


def test_a_step_that_has_hardly_begun_is_told_as_nothing_rather_than_as_a_fall() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    points = lines("RequestsPerMinute", now=NOW + timedelta(seconds=22))[0].points
    assert points[-2:] == [6.0, None]


def test_nothing_from_before_the_endpoint_was_made_is_told() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    window = window_of("15m", now=AFTER, since=NOW + timedelta(seconds=20))
    assert Readings("risk", window).traffic == []
    assert figures.recent("risk", now=AFTER, since=NOW + timedelta(seconds=20)).requests == 0


def test_the_last_five_minutes_give_figures_and_shares() -> None:
    refused = series("", 1, status=401, model_status=0, reason="Unauthorized")
    take(encoded(batch(1, series("blue", 10, 10, 10), series("green", 10), refused)), now=NOW)
    found = figures.recent("risk", now=AFTER)
    assert (found.requests, found.answered, found.unanswered, found.requests_per_minute) == (5, 4, 1, 1.0)
    assert [found.share_percent(name) for name in ("blue", "green", "gone")] == [75.0, 25.0, 0.0]
    assert found.p99_ms == pytest.approx(10, rel=0.02)
    assert found.error_percent == 0.0


def test_an_endpoint_without_requests_has_no_figures_rather_than_zeros() -> None:
    found = figures.recent("risk", now=AFTER)
    assert (found.requests, found.p50_ms, found.error_percent) == (0, None, None)


def test_small_lines_of_many_endpoints_come_by_minute_in_one_query(django_assert_num_queries) -> None:
    take(encoded(batch(1, series("blue", 5, 6), series("blue", 7, endpoint="other"))), now=NOW)
    roll_up(now=NOW + timedelta(minutes=30))
    with django_assert_num_queries(1):
        found = figures.sparks(["risk", "other", "idle"], now=NOW + timedelta(minutes=30))
    assert {name: (len(line), sum(line)) for name, line in found.items()} == {"risk": (60, 2), "other": (60, 1)}


def test_capacity_counts_a_state_that_is_gone_as_none() -> None:
    from endpoints.models import CapacityRollup

    start_s = int(NOW.timestamp())
    with locked():
        for offset_s, state in ((0, "Starting"), (10, "Ready")):
            add_finest({CapacityRollup: {(start_s + offset_s, "risk", "blue", state): Cell([], [2], [])}})
    found = {
        line.dimensions["State"]: [value for value in line.points if value is not None]
        for line in lines("DeploymentCapacity")
    }
    assert found == {"Ready": [0.0, 2.0], "Starting": [2.0, 0.0]}


def used(offset_s: int, **columns: int) -> None:
    """One look at blue-1, whose columns are nothing but what is given."""
    sums = [columns.get(name, 0) for name in InstanceRollup.SUMS]
    peaks = [columns.get(name, 0) for name in InstanceRollup.PEAKS]
    with locked():
        place = (int(NOW.timestamp()) + offset_s, "risk", "blue", "blue-1")
        add_finest({InstanceRollup: {place: Cell([1, *sums[1:]], peaks, [])}})


def test_energy_adds_up_over_a_step_and_is_nothing_where_gpus_do_not_tell() -> None:
    for offset_s, joules in ((-60, 400), (-50, 600), (-40, 0)):
        used(offset_s, gpu_samples=1, energy_samples=int(joules > 0), gpu_millijoules=joules * 1000)
    roll_up(now=NOW + timedelta(hours=2, minutes=5))
    (line,) = lines("GpuEnergyJoules", range_key="24h", now=NOW + timedelta(hours=2, minutes=5))
    assert line.dimensions == {"deployment": "blue", "instanceId": "blue-1"}
    assert [value for value in line.points if value is not None] == [1000.0]
    (fine,) = lines("GpuEnergyJoules")
    assert [value for value in fine.points if value is not None] == [400.0, 600.0]


def test_gpus_have_a_least_and_a_most_and_none_without_gpus() -> None:
    used(0, gpu_samples=1, gpu=4000, peak_gpu=7000, peak_spare_gpu=9000)
    used(10, cpu=100)
    found = [lines(f"GpuUtilizationPercentage{end}")[0].points for end in ("", "_Maximum", "_Minimum")]
    assert [[value for value in points if value is not None] for points in found] == [[40.0], [70.0], [10.0]]


def test_disks_have_lines_of_their_own_by_instance() -> None:
    with locked():
        for offset_s, disk, space in ((-60, "work", 6000), (-50, "work", 8000), (-60, "scratch", 500)):
            place = (int(NOW.timestamp()) + offset_s, "risk", "blue", "blue-1", disk)
            add_finest({DiskRollup: {place: Cell([1, space], [space, 10_000 - space], [])}})
    later = NOW + timedelta(hours=2, minutes=5)
    roll_up(now=later)
    found = {
        (line.dimensions["disk"], end): max(value for value in line.points if value is not None)
        for end in ("", "_Maximum", "_Minimum")
        for line in lines(f"DiskUtilization{end}", range_key="24h", now=later)
    }
    assert found == {
        ("scratch", ""): 5.0, ("scratch", "_Maximum"): 5.0, ("scratch", "_Minimum"): 5.0,
        ("work", ""): 70.0, ("work", "_Maximum"): 80.0, ("work", "_Minimum"): 60.0,
    }  # fmt: skip


def test_azures_metrics_are_all_there_but_those_of_data_collection() -> None:
    endpoint = "ConnectionsActive NetworkBytes NewConnectionsPerSecond RequestLatency RequestsPerMinute"
    percentiles = {f"RequestLatency_P{percent}" for percent in (50, 90, 95, 99)}
    deployment = "CpuMemoryUtilizationPercentage CpuUtilizationPercentage DeploymentCapacity DiskUtilization"
    gpus = "GpuEnergyJoules GpuMemoryUtilizationPercentage GpuUtilizationPercentage"
    assert {*endpoint.split(), *percentiles, *deployment.split(), *gpus.split()} <= METRICS.keys()
    assert not [name for name in METRICS if name.startswith("DataCollection")]


def test_one_deployment_can_be_looked_at_alone() -> None:
    take(encoded(batch(1, series("blue", 5), series("green", 6))), now=NOW)
    assert [line.dimensions["deployment"] for line in lines("RequestLatency_P50", deployment="green")] == ["green"]
    assert TrafficRollup.objects.count() == 2


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_value_or_nothing_for_every_step(name: str) -> None:
    take(encoded(batch(1, series("blue", 5), connections=1)), now=NOW)
    for line in lines(name):
        assert len(line.points) == len(window_of("15m", now=AFTER).starts)


def test_a_metric_is_found_whatever_its_case_and_an_unknown_one_is_named() -> None:
    assert metric_named("requestsperminute").name == "RequestsPerMinute"
    with pytest.raises(Invalid, match="RequestsPerSecond"):
        metric_named("RequestsPerSecond")
    with pytest.raises(Invalid, match="2h"):
        window_of("2h", now=NOW)
