"""Every batch is added once, whoever is killed or delivers twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum
from redis.exceptions import ConnectionError as NotThere

from endpoints.models import ConnectionRollup, CounterReceipt, GaugeRollup, TrafficRollup
from endpoints.spec.counters import STREAM, Gauge
from endpoints.telemetry.intake import take, take_all
from endpoints.telemetry.rollups import roll_up
from tests.telemetry.world import NOW, batch, encoded, series

pytestmark = pytest.mark.django_db


class Stream:
    """Redis, as far as the intake asks for it."""

    def __init__(self, *entries: bytes, on_delete: Callable[[], None] = lambda: None) -> None:
        self.entries = {f"{number}-0".encode(): {b"batch": entry} for number, entry in enumerate(entries, 1)}
        self._on_delete = on_delete

    def xrange(self, name: str, *, count: int) -> list[Any]:
        assert name == STREAM
        return list(self.entries.items())[:count]

    def xdel(self, _name: str, *ids: bytes) -> None:
        self._on_delete()
        for each in ids:
            del self.entries[each]


def counted() -> int:
    return TrafficRollup.objects.filter(grain_s=10).aggregate(Sum("requests"))["requests__sum"] or 0


def test_batches_of_one_slot_become_one_row() -> None:
    assert take(encoded(batch(1, series("blue", 5, 7)), batch(2, series("blue", 9))), now=NOW) == 2
    row = TrafficRollup.objects.get()
    assert (row.start_s, row.requests, row.request_bytes, row.response_bytes) == (NOW.timestamp(), 3, 30, 300)


def test_later_batches_add_to_the_row_that_is_there() -> None:
    take(encoded(batch(1, series("blue", 5, 7))), now=NOW)
    take(encoded(batch(2, series("blue", 9)), batch(3, series("green", 9))), now=NOW)
    assert dict(TrafficRollup.objects.values_list("deployment", "requests")) == {"blue": 3, "green": 1}


def test_a_batch_that_comes_twice_counts_once() -> None:
    twice = encoded(batch(1, series("blue", 5)))
    assert [take(twice * 2, now=NOW), take(twice, now=NOW)] == [1, 0]
    assert counted() == 1


def test_codes_reasons_and_mirrored_copies_are_told_apart() -> None:
    busy = series("blue", 1, status=429, model_status=0, reason="TooManyRequests")
    take(encoded(batch(1, series("blue", 5), busy, series("green", 5, is_mirror=True))), now=NOW)
    found = set(TrafficRollup.objects.values_list("status", "reason", "is_mirror"))
    assert found == {(200, "", False), (429, "TooManyRequests", False), (200, "", True)}


def test_being_killed_between_adding_and_removing_doubles_nothing() -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    stream = Stream(*encoded(batch(1, series("blue", 5))), on_delete=killed)
    with pytest.raises(KeyboardInterrupt):
        take_all(stream, now=NOW)  # type: ignore[arg-type]
    again = Stream(*(fields[b"batch"] for fields in stream.entries.values()))
    assert take_all(again, now=NOW) == 0  # type: ignore[arg-type]
    assert counted() == 1
    assert again.entries == {}


@pytest.mark.parametrize("is_down_at", ["xrange", "xdel"])
def test_a_redis_that_goes_away_costs_nothing(is_down_at: str) -> None:
    def gone(*_: object, **__: object) -> None:
        raise NotThere

    stream = Stream(*encoded(batch(1, series("blue", 5))))
    setattr(stream, is_down_at, gone)
    take_all(stream, now=NOW)  # type: ignore[arg-type]
    take_all(Stream(*encoded(batch(1, series("blue", 5)))), now=NOW)  # type: ignore[arg-type]
    assert counted() == 1


def test_what_cannot_be_read_is_dropped_and_named(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(b"{", *encoded(batch(1, series("blue", 5))))
    assert take_all(stream, now=NOW) == 1  # type: ignore[arg-type]
    assert "cannot be read" in caplog.text
    assert stream.entries == {}


def test_what_cannot_be_stored_does_not_keep_the_others_waiting(caplog: pytest.LogCaptureFixture) -> None:
    monstrous = batch(1, connections=2**62)
    assert take(encoded(batch(2, series("blue", 5)), monstrous, batch(3, series("blue", 5))), now=NOW) == 2
    assert "gw-1 cannot be stored" in caplog.text
    assert counted() == 2


def test_a_batch_from_long_ago_is_refused_because_finer_rows_beside_it_are_gone() -> None:
    take(encoded(batch(1, series("blue", 5), at=NOW - timedelta(hours=5))), now=NOW)
    assert counted() == 0


def test_receipts_are_kept_an_hour_and_only_forgotten_when_the_stream_is_empty() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    take_all(Stream(), now=NOW + timedelta(minutes=50))  # type: ignore[arg-type]
    assert CounterReceipt.objects.exists()
    take_all(Stream(), now=NOW + timedelta(minutes=70))  # type: ignore[arg-type]
    assert not CounterReceipt.objects.exists()


def test_being_busy_is_weighed_by_time_and_peaks_are_of_all_processes_together() -> None:
    one, other = (Gauge(endpoint="risk", deployment="blue", in_flight=count, queued=1, limit=8) for count in (2, 4))
    take(encoded(batch(1, gauges=(one,)), batch(1, gauges=(other,), source="gw2", lasted_ms=500)), now=NOW)
    row = GaugeRollup.objects.get()
    assert (row.in_flight_ms, row.queued_ms) == (4000, 1500)
    assert (row.peak_in_flight, row.peak_queued, row.limit) == (6, 2, 8)


def test_connections_are_of_all_gateways() -> None:
    take(encoded(batch(1, connections=3, accepted=2), batch(1, source="gw2", connections=1)), now=NOW)
    row = ConnectionRollup.objects.get()
    assert (row.open_ms, row.accepted) == (4000, 2)


def test_a_late_batch_makes_its_minute_and_hour_again() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    later = NOW + timedelta(hours=2)
    roll_up(now=later)
    take(encoded(batch(2, series("blue", 5))), now=later)
    roll_up(now=later)
    assert dict(TrafficRollup.objects.values_list("grain_s", "requests")) == {10: 2, 60: 2, 3600: 2}
