"""Batches and rows to measure with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from endpoints.spec.counters import CounterBatch, Gauge, Series

NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)


def series(deployment: str = "blue", *milliseconds: float, **fields: object) -> Series:
    """One request for each duration; the instance takes half of it."""
    values: dict[str, object] = {"endpoint": "risk", "deployment": deployment, "status": 200, "model_status": 200}
    one = msgspec.convert({**values, **fields}, Series)
    for each in milliseconds:
        one.requests += 1
        one.request_bytes += 10
        one.response_bytes += 100
        one.latency.add(each / 1000)
        if one.model_status:
            one.model_latency.add(each / 2000)
    return one


def batch(
    number: int,
    *found: Series,
    at: datetime = NOW,
    source: str = "gw",
    gauges: tuple[Gauge, ...] = (),
    lasted_ms: int = 1000,
    **fields: Any,
) -> CounterBatch:
    """A batch that ended at `at`."""
    ended_ms = int(at.timestamp() * 1000)
    return CounterBatch(
        id=f"{source}-{number}",
        source=source,
        started_at_ms=ended_ms - lasted_ms,
        ended_at_ms=ended_ms,
        series=found,
        gauges=gauges,
        **fields,
    )


def encoded(*batches: CounterBatch) -> list[bytes]:
    return [msgspec.json.encode(one) for one in batches]
