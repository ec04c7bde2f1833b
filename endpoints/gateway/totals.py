"""Counters since the master started, merged exactly from all processes, and how busy each process is now."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from endpoints.spec.counters import CounterBatch, Gauge, Series, SeriesKey


class Totals:
    """What `/metrics` shows."""

    def __init__(self) -> None:
        self._series: dict[SeriesKey, Series] = {}
        self._gauges: dict[str, tuple[Gauge, ...]] = {}
        self._connections: dict[str, int] = {}
        self.accepted = 0

    def add(self, batch: CounterBatch) -> None:
        """Merge one batch."""
        for delta in batch.series:
            key = delta.key
            if key in self._series:
                self._series[key].merge(delta)
            else:
                self._series[key] = msgspec.convert(msgspec.to_builtins(delta), Series, strict=False)
        self.accepted += batch.accepted
        self._gauges[batch.source] = batch.gauges
        self._connections[batch.source] = batch.connections

    def forget(self, source: str) -> None:
        """A process has ended: nothing is in flight there any more."""
        self._gauges.pop(source, None)
        self._connections.pop(source, None)

    @property
    def series(self) -> Iterable[Series]:
        return self._series.values()

    @property
    def connections(self) -> int:
        """Open in all processes."""
        return sum(self._connections.values())

    def gauges(self) -> list[Gauge]:
        """By deployment, over all processes."""
        merged: dict[tuple[str, str], Gauge] = {}
        for gauge in (gauge for gauges in self._gauges.values() for gauge in gauges):
            key = (gauge.endpoint, gauge.deployment)
            before = merged.get(key)
            merged[key] = (
                gauge
                if before is None
                else Gauge(
                    endpoint=gauge.endpoint,
                    deployment=gauge.deployment,
                    in_flight=before.in_flight + gauge.in_flight,
                    queued=before.queued + gauge.queued,
                    limit=max(before.limit, gauge.limit),
                )
            )
        return list(merged.values())
