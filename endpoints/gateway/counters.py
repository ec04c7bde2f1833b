"""Counting: one series of integers per endpoint, deployment, instance, code and reason, drained once a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import log
from time import time
from typing import Final

from endpoints.spec.counters import KEPT_SECONDS, CounterBatch, Gauge, Held, Series, SeriesKey
from endpoints.spec.histogram import BUCKETS_PER_LOG, Histogram

_BUCKETS_PER_LOG: Final = BUCKETS_PER_LOG


class UsualCount:
    """What `count` keeps in a series, for the kind of request that most are; poured into it once a second."""

    __slots__ = (
        "_buckets",
        "_model_buckets",
        "_model_us",
        "_request_bytes",
        "_response_bytes",
        "_us",
        "key",
        "requests",
    )

    def __init__(self, key: SeriesKey) -> None:
        self.key = key
        self.requests = 0
        self._request_bytes = 0
        self._response_bytes = 0
        self._us = 0
        self._model_us = 0
        self._buckets: dict[int, int] = {}
        self._model_buckets: dict[int, int] = {}

    def add(self, request_bytes: int, response_bytes: int, seconds: float, model_seconds: float) -> None:
        self.requests += 1
        self._request_bytes += request_bytes
        self._response_bytes += response_bytes
        us = seconds * 1e6
        self._us += int(us)
        bucket = int(log(us) * _BUCKETS_PER_LOG) + 1 if us >= 1 else 0
        buckets = self._buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        us = model_seconds * 1e6
        self._model_us += int(us)
        bucket = int(log(us) * _BUCKETS_PER_LOG) + 1 if us >= 1 else 0
        buckets = self._model_buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def pour(self, series: Series) -> None:
        """Add all to `series`, and begin anew."""
        series.requests += self.requests
        series.request_bytes += self._request_bytes
        series.response_bytes += self._response_bytes
        series.latency.merge(Histogram(buckets=self._buckets, sum_us=self._us))
        series.model_latency.merge(Histogram(buckets=self._model_buckets, sum_us=self._model_us))
        self.requests = self._request_bytes = self._response_bytes = self._us = self._model_us = 0
        self._buckets = {}
        self._model_buckets = {}


def count(series: Series, request_bytes: int, response_bytes: int, seconds: float, model_seconds: float) -> None:
    """Count one request; model_seconds is negative when no instance was asked."""
    series.requests += 1
    series.request_bytes += request_bytes
    series.response_bytes += response_bytes
    # Histogram.add, written out: this runs for every request.
    microseconds = seconds * 1e6
    bucket = int(log(microseconds) * _BUCKETS_PER_LOG) + 1 if microseconds >= 1 else 0
    histogram = series.latency
    buckets = histogram.buckets
    buckets[bucket] = buckets.get(bucket, 0) + 1
    histogram.sum_us += int(microseconds)
    if model_seconds >= 0:
        microseconds = model_seconds * 1e6
        bucket = int(log(microseconds) * _BUCKETS_PER_LOG) + 1 if microseconds >= 1 else 0
        histogram = series.model_latency
        buckets = histogram.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        histogram.sum_us += int(microseconds)


class Counters:
    """What happened since the last batch. usual: the counts that hold something, to be poured out with it."""

    def __init__(self, source: str, *, wall_clock: Callable[[], float] = time) -> None:
        self._source = source
        self._wall_clock = wall_clock
        self._series: dict[SeriesKey, Series] = {}
        self._sequence = 0
        self.usual: list[UsualCount] = []
        self._started_at_ms = int(wall_clock() * 1000)
        self._last_gauges: tuple[Gauge, ...] = ()
        self._last_connections = 0
        self.connections = 0
        self.accepted = 0

    def series(self, key: SeriesKey) -> Series:
        """The series to count under until the next batch."""
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(**key._asdict())
        return series

    def take_batch(self, gauges: Iterable[Gauge] = (), held: tuple[Held, ...] = ()) -> CounterBatch | None:
        """Everything since the last call; None when nothing happened, nothing is under way and no one is connected."""
        for usual in self.usual:
            usual.pour(self.series(usual.key))
        self.usual = []
        now_ms = int(self._wall_clock() * 1000)
        shown = tuple(gauges)
        is_idle = not (shown or held or self._last_gauges or self.connections or self._last_connections)
        if not self._series and not self.accepted and is_idle:
            self._started_at_ms = now_ms
            return None
        self._sequence += 1
        batch = CounterBatch(
            id=f"{self._source}-{self._sequence}",
            source=self._source,
            started_at_ms=self._started_at_ms,
            ended_at_ms=now_ms,
            series=tuple(self._series.values()),
            gauges=shown,
            held=held,
            connections=self.connections,
            accepted=self.accepted,
        )
        self._series = {}
        self.accepted = 0
        self._last_gauges = shown
        self._last_connections = self.connections
        self._started_at_ms = now_ms
        return batch


class Unsent:
    """Batches nobody has confirmed yet, oldest first, for at most ten minutes."""

    def __init__(self, *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._kept_ms = kept_seconds * 1000
        self._batches: deque[tuple[str, int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[str, int, bytes]]:
        return iter(tuple(self._batches))

    def add(self, batch_id: str, ended_at_ms: int, encoded: bytes) -> None:
        """Keep one; drops what has become too old."""
        self._batches.append((batch_id, ended_at_ms, encoded))
        while self._batches and self._batches[0][1] < ended_at_ms - self._kept_ms:
            self._batches.popleft()

    def confirm(self, batch_id: str) -> None:
        """It has been taken."""
        if self._batches and self._batches[0][0] == batch_id:
            self._batches.popleft()
        else:
            self._batches = deque(entry for entry in self._batches if entry[0] != batch_id)
