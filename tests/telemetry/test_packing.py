from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from endpoints.spec.histogram import Histogram
from endpoints.telemetry.packing import add_packed, merged, pack, unpack

histograms = st.builds(
    Histogram,
    buckets=st.dictionaries(st.integers(0, 900), st.integers(1, 2**40), max_size=40),
    sum_us=st.integers(0, 2**60),
).map(lambda found: found if found.buckets else Histogram())


@given(histograms)
def test_what_is_packed_is_unpacked(histogram: Histogram) -> None:
    assert unpack(pack(histogram)) == histogram


@given(histograms, histograms)
def test_packed_histograms_merge_as_unpacked_ones_do(one: Histogram, other: Histogram) -> None:
    merged = unpack(pack(one))
    add_packed(pack(other), merged)
    one.merge(other)
    assert merged == one


@given(st.lists(histograms, max_size=4))
def test_many_are_merged_at_once_as_one_after_the_other(found: list[Histogram]) -> None:
    whole = Histogram()
    for each in found:
        whole.merge(each)
    assert merged(map(pack, found)) == whole


def test_small_counts_take_one_byte_each() -> None:
    histogram = Histogram()
    for millisecond in range(1, 31):
        histogram.add(millisecond / 1000)
    assert len(pack(histogram)) == 9 + 3 * len(histogram.buckets)
