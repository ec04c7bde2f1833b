"""Batches of counters from the gateways' stream into the finest rollups, each exactly once.

A batch is added and noted by its id in one transaction, and only then removed from the stream (`endpoints.telemetry.
streams`). Gateways keep a batch until it has left the stream.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

import msgspec
from django.conf import settings
from redis import Redis

from endpoints.models import Rollout
from endpoints.models.telemetry import (
    ConnectionRollup,
    CounterReceipt,
    GaugeRollup,
    HoldRollup,
    Rollup,
    TrafficRollup,
)
from endpoints.spec.counters import STREAM, CounterBatch
from endpoints.spec.histogram import Histogram
from endpoints.telemetry.cells import Cell, Cells, add, slot_of
from endpoints.telemetry.rollups import CLOSE_S, FINEST_S, TAKEN_WITHIN_S, add_close, add_finest, locked
from endpoints.telemetry.streams import BatchStream, unseen

logger = logging.getLogger(__name__)

COUNTERS = BatchStream(STREAM, b"batch", 500, partial(msgspec.json.decode, type=CounterBatch), "counters")
# A gateway sends a batch again for ten minutes at most, and keeps it on disk for ten more.
RECEIPTS_KEPT = timedelta(hours=1)


def connect() -> Redis:
    """The studio's Redis; it answers quickly or not at all."""
    return Redis.from_url(settings.SLIPWAY_REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


def take_all(redis: Redis, *, now: datetime) -> int:
    """Take what the stream holds; returns how many batches were new. A Redis that is away means: later."""
    taken, is_empty = COUNTERS.drain(redis, partial(_take, now=now))
    if is_empty:  # what was noted long ago cannot come again
        CounterReceipt.objects.filter(taken_at__lt=now - RECEIPTS_KEPT).delete()
    return taken


def take(encoded: Iterable[bytes], *, now: datetime) -> int:
    """Add the batches that were not added before; returns how many."""
    return COUNTERS.take(encoded, partial(_take, now=now))


def _take(batches: Mapping[str, CounterBatch], *, now: datetime) -> int:
    with locked():
        new = unseen(batches, now=now)
        young = [batch for batch in new if _is_young(batch, now)]
        add_finest(cells_of(young))
        if young and (watched := watched_endpoints()):
            add_close(close_cells(young, watched))
    return len(new)


def _is_young(batch: CounterBatch, now: datetime) -> bool:
    if batch.ended_at_ms / 1000 > now.timestamp() - TAKEN_WITHIN_S:
        return True
    logger.warning("The counters %s are too old to be added: they ended at %d ms.", batch.id, batch.ended_at_ms)
    return False


def watched_endpoints() -> set[str]:
    """Endpoints whose requests are also kept by the second: a rollout is under way there."""
    return set(Rollout.objects.filter(finished_at=None).values_list("endpoint__name", flat=True))


def close_cells(batches: Iterable[CounterBatch], endpoints: Collection[str]) -> dict[type[Rollup], Cells]:
    """What the batches add to the single seconds of some endpoints."""
    of_these = (
        msgspec.structs.replace(
            batch,
            series=tuple(one for one in batch.series if one.endpoint in endpoints),
            gauges=tuple(one for one in batch.gauges if one.endpoint in endpoints),
        )
        for batch in batches
    )
    found = cells_of(of_these, grain_s=CLOSE_S)
    del found[ConnectionRollup], found[HoldRollup]
    return found


def cells_of(batches: Iterable[CounterBatch], *, grain_s: int = FINEST_S) -> dict[type[Rollup], Cells]:
    """What the batches add to slots of that grain. A batch belongs to the slot in which it ended."""
    traffic, gauges, connections, held = Cells(), Cells(), Cells(), Cells()
    in_second: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for batch in batches:
        start_s = slot_of(batch.ended_at_ms / 1000, grain_s)
        lasted_ms = max(batch.ended_at_ms - batch.started_at_ms, 0)
        add(connections, (start_s,), Cell([batch.connections * lasted_ms, batch.accepted], [], []))
        for one in batch.series:
            place = (start_s, one.endpoint, one.deployment, one.status, one.model_status, one.reason, one.is_mirror)
            counts = [one.requests, one.request_bytes, one.response_bytes]
            add(traffic, place, Cell(counts, [], [_copy(one.latency), _copy(one.model_latency)]))
        for one_held in batch.held:
            cell = Cell([0, one_held.answered, one_held.given_up], [], [_copy(one_held.waited)])
            add(held, (start_s, one_held.endpoint, one_held.deployment), cell)
        for gauge in batch.gauges:
            sums = [gauge.in_flight * lasted_ms, gauge.queued * lasted_ms]
            add(gauges, (start_s, gauge.endpoint, gauge.deployment), Cell(sums, [0, 0, gauge.limit], []))
            together = in_second[gauge.endpoint, gauge.deployment, batch.ended_at_ms // 1000]
            together[0] += gauge.in_flight
            together[1] += gauge.queued
    # A peak is that of all gateway processes together, second by second.
    for (endpoint, deployment, second), (in_flight, queued) in in_second.items():
        add(gauges, (slot_of(second, grain_s), endpoint, deployment), Cell([0, 0], [in_flight, queued, 0], []))
    return {TrafficRollup: traffic, GaugeRollup: gauges, ConnectionRollup: connections, HoldRollup: held}


def _copy(histogram: Histogram) -> Histogram:
    return Histogram(buckets=dict(histogram.buckets), sum_us=histogram.sum_us)
