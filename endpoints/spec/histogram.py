"""Latency histograms with log-spaced buckets: a fixed grid, so that any two merge exactly by adding integers.

Values are whole microseconds. A bucket's value differs from any value it holds by at most 2 %. Pure: shared by the
gateway, which fills them, and telemetry, which merges them and reads percentiles.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import exp, log

import msgspec

RELATIVE_ERROR = 0.02
GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
BUCKETS_PER_LOG = 1 / log(GROWTH)


def bucket_of(microseconds: float) -> int:
    """The bucket that holds a duration; all below one microsecond share bucket 0."""
    return int(log(microseconds) * BUCKETS_PER_LOG) + 1 if microseconds >= 1 else 0


def upper_bound_us(bucket: int) -> float:
    """The smallest duration that no longer belongs to `bucket`."""
    return exp(bucket / BUCKETS_PER_LOG)


def value_us(bucket: int) -> float:
    """The value that stands for all in `bucket`: within 2 % of each of them."""
    return 0.5 if bucket == 0 else 2 * exp(bucket / BUCKETS_PER_LOG) / (1 + GROWTH)


class Histogram(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Counts by bucket and the exact sum, in microseconds."""

    buckets: dict[int, int] = {}
    sum_us: int = 0

    @property
    def count(self) -> int:
        """How many values were added."""
        return sum(self.buckets.values())

    def add(self, seconds: float) -> None:
        """Count one duration."""
        microseconds = seconds * 1e6
        bucket = bucket_of(microseconds)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.sum_us += int(microseconds)

    def merge(self, other: Histogram) -> None:
        """Add all of `other`."""
        buckets = self.buckets
        for bucket, count in other.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
        self.sum_us += other.sum_us

    def quantile_ms(self, quantile: float) -> float | None:
        """The duration in milliseconds that `quantile` (0 to 1) of the values do not exceed; None when empty."""
        return quantiles_ms(self.buckets, (quantile,))[0]

    def mean_ms(self) -> float | None:
        """The exact mean in milliseconds; None when empty."""
        count = self.count
        return self.sum_us / count / 1000 if count else None


def quantiles_ms(buckets: Mapping[int, int], quantiles: Iterable[float]) -> list[float | None]:
    """Several quantiles in one pass, in milliseconds, in the order asked."""
    wanted = list(quantiles)
    places = sorted(buckets)
    seen = list(accumulate(map(buckets.__getitem__, places)))
    if not seen or not seen[-1]:
        return [None] * len(wanted)
    total = seen[-1]
    last = bisect_left(seen, total)
    ranks = (min(bisect_left(seen, quantile * total), last) for quantile in wanted)
    return [value_us(places[rank]) / 1000 for rank in ranks]
