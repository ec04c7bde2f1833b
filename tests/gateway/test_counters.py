from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.gateway.counters import Counters, Unsent, count
from endpoints.gateway.metrics import render
from endpoints.gateway.spill import forget_spilled, spill, take_spilled
from endpoints.gateway.totals import Totals
from endpoints.spec.counters import CounterBatch, Gauge, Series, SeriesKey
from endpoints.spec.histogram import Histogram, bucket_of, quantiles_ms, upper_bound_us, value_us
from endpoints.spec.home import Home
from tests.gateway.rig import Rig, endpoint, request

BLUE = SeriesKey("sample", "blue", "blue-1", 200, 200, "", False)


@given(st.floats(min_value=1, max_value=1e10))
def test_a_bucket_stands_for_its_values_within_two_percent(microseconds: float) -> None:
    assert abs(value_us(bucket_of(microseconds)) - microseconds) <= 0.02 * microseconds * 1.000001


@given(st.integers(0, 600))
def test_buckets_do_not_overlap(bucket: int) -> None:
    assert bucket_of(upper_bound_us(bucket) * 1.0001) == bucket + 1


def test_quantiles_of_a_known_distribution_are_within_two_percent() -> None:
    histogram = Histogram()
    for millisecond in range(1, 1001):
        histogram.add(millisecond / 1000)
    for quantile, wanted in ((0.5, 500), (0.9, 900), (0.99, 990)):
        found = histogram.quantile_ms(quantile)
        assert found is not None
        assert abs(found - wanted) <= 0.021 * wanted
    assert histogram.mean_ms() == pytest.approx(500.5)
    assert quantiles_ms({}, (0.5,)) == [None]


def test_series_merge_exactly_whoever_counted_what() -> None:
    source = random.Random(5)
    whole = Counters("one")
    parts = [Counters(f"part-{number}") for number in range(4)]
    for _ in range(2000):
        seconds = source.random()
        key = BLUE._replace(status=source.choice([200, 424]))
        for counters in (whole, source.choice(parts)):
            count(counters.series(key), 3, 5, seconds, seconds / 2)
    merged, alone = Totals(), Totals()
    for counters in parts:
        batch = counters.take_batch()
        assert batch is not None
        merged.add(msgspec.json.decode(msgspec.json.encode(batch), type=CounterBatch))
    alone.add(whole.take_batch() or pytest.fail("nothing counted"))
    assert {series.key: series for series in merged.series} == {series.key: series for series in alone.series}


def test_nothing_new_is_no_batch_and_ids_never_repeat() -> None:
    counters = Counters("one")
    assert counters.take_batch() is None
    ids = set()
    for _ in range(3):
        count(counters.series(BLUE), 0, 0, 0.0, -1.0)
        batch = counters.take_batch()
        assert batch is not None
        ids.add(batch.id)
        assert [series.requests for series in batch.series] == [1]
    assert len(ids) == 3


def test_a_gauge_that_falls_to_nothing_is_still_told() -> None:
    counters = Counters("one")
    busy = counters.take_batch([Gauge(endpoint="a", deployment="b", in_flight=1)])
    idle = counters.take_batch([])
    assert busy is not None
    assert idle is not None
    assert idle.gauges == ()
    assert counters.take_batch([]) is None


def test_unconfirmed_batches_are_kept_ten_minutes() -> None:
    unsent = Unsent()
    for second in range(700):
        unsent.add(f"b{second}", second * 1000, b"")
    assert len(unsent) == 601
    unsent.confirm("b699")
    unsent.confirm("b99")
    assert [entry[0] for entry in unsent][:1] == ["b100"]
    assert len(unsent) == 599


def test_batches_on_disk_outlive_the_process_and_are_removed_when_taken(tmp_path) -> None:
    home = Home(tmp_path)
    spill(home, "a-1", b"{}")
    assert take_spilled(home) == [("a-1", b"{}")]
    forget_spilled(home, "a-1")
    assert take_spilled(home) == []


def test_batches_older_than_ten_minutes_are_removed_from_disk(tmp_path) -> None:
    home = Home(tmp_path)
    spill(home, "a-1", b"{}")
    assert take_spilled(home, now=4e9) == []
    assert take_spilled(home) == []


def test_every_answer_is_counted_once(rig: Rig) -> None:
    rig.publish(endpoint())
    client = rig.client()
    for _ in range(3):
        client.send(request(b"12345"))
        rig.now += 0.25
        rig.dialled[0].answer()
    client.send(request(target="/nobody/score"))
    series = {one.key: one for one in rig.counted()}
    answered = series[SeriesKey("sample", "blue", "blue-7001", 200, 200, "", False)]
    assert (answered.requests, answered.request_bytes) == (3, 15)
    assert answered.latency.quantile_ms(0.5) == pytest.approx(250, rel=0.02)
    assert answered.model_latency.count == 3
    assert series[SeriesKey("", "", "", 404, 0, "EndpointNotFound", False)].requests == 1


def test_the_metrics_page_follows_prometheus_rules() -> None:
    totals = Totals()
    series = Series(endpoint="a", deployment='b"', instance="i", status=200, model_status=200, requests=2)
    for seconds in (0.001, 0.2):
        series.latency.add(seconds)
    gauges = (Gauge(endpoint="a", deployment="b", in_flight=2, limit=4),)
    for source in ("p1", "p2"):
        totals.add(
            CounterBatch(
                id=source, source=source, started_at_ms=0, ended_at_ms=1, series=(series,), gauges=gauges, connections=3
            )
        )
    page = render(totals, routes_version=7, processes=2, unsent=0, is_compiled=True)
    assert 'slipway_requests_total{endpoint="a",deployment="b\\"",instance="i",code="200",model_code="200"} 4' in page
    assert 'slipway_request_duration_seconds_bucket{endpoint="a",deployment="b\\"",le="+Inf"} 4' in page
    assert 'slipway_requests_in_flight{endpoint="a",deployment="b"} 4' in page
    assert "slipway_connections 6" in page
    assert "slipway_gateway_compiled 1" in page
    names = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
