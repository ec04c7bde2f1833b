"""Minutes and hours are exactly the sum of the ten seconds below them, whenever and however often they are made."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from endpoints.models import InstanceRollup, StaleSlot, TrafficRollup
from endpoints.spec.histogram import Histogram
from endpoints.telemetry import cells
from endpoints.telemetry.cells import Cell
from endpoints.telemetry.intake import take
from endpoints.telemetry.packing import unpack
from endpoints.telemetry.rollups import KEPT_S, MINUTE_S, add_finest, forget, locked, roll_up
from tests.telemetry.world import NOW, batch, encoded, series

LATER = NOW + timedelta(hours=3)


def by_key(grain_s: int) -> dict[str, tuple[int, Histogram]]:
    found: dict[str, tuple[int, Histogram]] = {}
    for row in TrafficRollup.objects.filter(grain_s=grain_s):
        count, histogram = found.get(row.deployment, (0, Histogram()))
        histogram.merge(unpack(bytes(row.latency)))
        found[row.deployment] = (count + row.requests, histogram)
    return found


class AnyTraffic(TestCase):
    @settings(max_examples=15, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 5000), st.sampled_from(["blue", "green"]), st.floats(0.01, 60_000)),
            min_size=1,
            max_size=25,
        ),
        st.lists(st.integers(0, 20_000), max_size=4),
    )
    def test_every_grain_holds_the_same_whenever_it_is_made(
        self, requests: list[tuple[int, str, float]], made_at: list[int]
    ) -> None:
        wanted: dict[str, Histogram] = defaultdict(Histogram)
        for number, (second, name, milliseconds) in enumerate(requests):
            at = NOW + timedelta(seconds=second)
            take(encoded(batch(number, series(name, milliseconds), at=at)), now=at)
            wanted[name].add(milliseconds / 1000)
            if number < len(made_at):
                roll_up(now=NOW + timedelta(seconds=made_at[number]))
        roll_up(now=LATER)
        for grain_s in (10, 60, 3600):
            assert by_key(grain_s) == {name: (each.count, each) for name, each in wanted.items()}


@pytest.mark.django_db
def test_only_what_is_complete_is_made() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    assert roll_up(now=NOW + timedelta(seconds=20)) == 0
    assert roll_up(now=NOW + timedelta(seconds=60)) == 1
    assert set(TrafficRollup.objects.values_list("grain_s", flat=True)) == {10, 60}
    assert StaleSlot.objects.get().grain_s == 3600


@pytest.mark.django_db
def test_making_a_slot_twice_changes_nothing() -> None:
    take(encoded(batch(1, series("blue", 5, 6))), now=NOW)
    roll_up(now=LATER)
    StaleSlot.objects.create(grain_s=60, start_s=int(NOW.timestamp()) // 60 * 60)
    roll_up(now=LATER)
    assert list(TrafficRollup.objects.order_by("grain_s").values_list("requests", flat=True)) == [2, 2, 2]


@pytest.mark.django_db
def test_sums_add_and_peaks_are_the_largest() -> None:
    start_s = int(NOW.timestamp()) // 60 * 60
    with locked():
        for offset_s, percent in ((0, 10), (10, 70), (20, 40)):
            place = (start_s + offset_s, "risk", "blue", "blue-1")
            rest = [0] * (len(InstanceRollup.SUMS) - 3), [0] * (len(InstanceRollup.PEAKS) - 2)
            cell = Cell([1, percent, percent, *rest[0]], [percent, percent, *rest[1]], [])
            add_finest({InstanceRollup: {place: cell}})
    roll_up(now=LATER)
    row = InstanceRollup.objects.get(grain_s=60)
    assert (row.samples, row.cpu, row.peak_cpu) == (3, 120, 70)


@pytest.mark.django_db
def test_percentiles_of_merged_slots_are_within_two_percent() -> None:
    source = random.Random(7)
    durations = [source.lognormvariate(3, 1) for _ in range(2000)]
    for number in range(0, 2000, 100):
        at = NOW + timedelta(seconds=number)
        take(encoded(batch(number, series("blue", *durations[number : number + 100]), at=at)), now=at)
    roll_up(now=LATER)
    _, histogram = by_key(3600)["blue"]
    ordered = sorted(durations)
    for quantile in (0.5, 0.9, 0.95, 0.99):
        exact = ordered[int(quantile * 2000) - 1]
        assert histogram.quantile_ms(quantile) == pytest.approx(exact, rel=0.021)


@pytest.mark.django_db
def test_what_was_kept_long_enough_is_forgotten_grain_by_grain() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    roll_up(now=LATER)
    for grains, age_s in (({60, 3600}, KEPT_S[10]), ({3600}, KEPT_S[60]), (set(), KEPT_S[3600])):
        forget(now=NOW + timedelta(seconds=age_s + 3600 + 60))
        assert set(TrafficRollup.objects.values_list("grain_s", flat=True)) == grains


@pytest.mark.django_db
def test_what_is_not_rolled_up_yet_is_not_forgotten() -> None:
    take(encoded(batch(1, series("blue", 5))), now=NOW)
    forget(now=NOW + timedelta(days=3))
    assert TrafficRollup.objects.get().grain_s == 10
    roll_up(now=NOW + timedelta(days=3))
    assert TrafficRollup.objects.get(grain_s=MINUTE_S).requests == 1


def test_a_slot_begins_at_a_whole_multiple() -> None:
    assert [cells.slot_of(second, 10) for second in (0, 9.9, 10, 19)] == [0, 0, 10, 10]
