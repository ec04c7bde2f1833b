"""Pairs of answers from the gateways' stream: judged, counted, and the worst of them kept.

A batch is counted once (`endpoints.telemetry.streams`). What comes from before a comparison began,
or of another shadow, is dropped.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import msgspec
from redis import Redis

from endpoints.models import Comparison, ComparisonExample, ComparisonRollup, DifferingField
from endpoints.spec.agreement import Kind, Verdict, judge, shown, storable
from endpoints.spec.comparison import ComparisonSettings, settings_from
from endpoints.spec.histogram import Histogram, bucket_of
from endpoints.spec.json_compare import Rules
from endpoints.spec.pairs import STREAM, AnswerSeen, Pair, PairBatch
from endpoints.telemetry.cells import Cell, Cells, add, slot_of
from endpoints.telemetry.comparisons import SIZES_PER_UNIT
from endpoints.telemetry.packing import pack, unpack
from endpoints.telemetry.rollups import FINEST_S, TAKEN_WITHIN_S, add_finest, locked
from endpoints.telemetry.streams import BatchStream, unseen

logger = logging.getLogger(__name__)

PAIRS = BatchStream(STREAM, b"pairs", 8, partial(msgspec.msgpack.decode, type=PairBatch), "pairs")
MAX_FIELDS = 200  # told apart in one comparison; further ones are counted together
MAX_PATH = 255
LARGEST_SIZE = 1e9
KEPT_KINDS = (Kind.DIFFERENT, Kind.SHADOW_ERROR)


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair, what was found, and the comparison it belongs to."""

    comparison: Comparison
    pair: Pair
    verdict: Verdict


def take_all(redis: Redis, *, now: datetime) -> int:
    """Take what the stream holds; returns how many pairs were counted. A Redis that is away means: later."""
    counted, _ = PAIRS.drain(redis, partial(_take, now=now))
    return counted


def take(encoded: Iterable[bytes], *, now: datetime) -> int:
    """Judge and count the batches that were not counted before; returns how many pairs."""
    return PAIRS.take(encoded, partial(_take, now=now))


def _take(batches: Mapping[str, PairBatch], *, now: datetime) -> int:
    names = {pair.endpoint for batch in batches.values() for pair in batch.pairs}
    names |= {name for batch in batches.values() for name in batch.dropped}
    comparing = {
        row.endpoint.name: (row, settings_from(row.endpoint.comparison or {}))
        for row in Comparison.objects.select_related("endpoint").filter(
            endpoint__name__in=names, endpoint__comparison__isnull=False
        )
    }
    # Judging takes its time: it is done before anybody else is kept waiting.
    judged = {batch_id: _judge(batch, comparing) for batch_id, batch in batches.items()}
    with locked():
        new = unseen(batches, now=now)
        current = dict(Comparison.objects.filter(endpoint__name__in=names).values_list("pk", "started_at"))
        counted = [
            one
            for batch in new
            for one in judged[batch.id]
            if _is_of_now(one.pair, current.get(one.comparison.pk), now)
        ]
        dropped = [item for batch in new for item in batch.dropped.items()]
        left_out = [(comparing[name][0], count) for name, count in dropped if name in comparing]
        _store(counted, left_out, {row.pk: chosen for row, chosen in comparing.values()}, now)
    return len(counted)


def _judge(batch: PairBatch, comparing: dict[str, tuple[Comparison, ComparisonSettings]]) -> list[Judged]:
    rules = {name: Rules(chosen) for name, (_, chosen) in comparing.items()}
    return [
        Judged(comparing[pair.endpoint][0], pair, judge(pair, rules[pair.endpoint]))
        for pair in batch.pairs
        if pair.endpoint in comparing and comparing[pair.endpoint][0].shadow == pair.shadow_deployment
    ]


def _is_of_now(pair: Pair, started_at: datetime | None, now: datetime) -> bool:
    is_begun = started_at is not None and pair.at_ms / 1000 >= started_at.timestamp()
    return is_begun and pair.at_ms / 1000 > now.timestamp() - TAKEN_WITHIN_S


def _store(
    judged: Sequence[Judged],
    left_out: Sequence[tuple[Comparison, int]],
    settings: dict[int, ComparisonSettings],
    now: datetime,
) -> None:
    cells = Cells()
    for one in judged:
        add(cells, _place(one), _cell(one))
    for comparison, count in left_out:
        place = (slot_of(now.timestamp(), FINEST_S), comparison.endpoint.name, "", comparison.shadow, Kind.LEFT_OUT, "")
        add(cells, place, Cell([count], [], [Histogram() for _ in range(4)]))
    add_finest({ComparisonRollup: cells})
    by_comparison: dict[int, list[Judged]] = defaultdict(list)
    for one in judged:
        by_comparison[one.comparison.pk].append(one)
    for pk, found in by_comparison.items():
        _count_fields(found[0].comparison, found)
        _keep_worst(found[0].comparison, found, most=settings[pk].examples)


def _place(one: Judged) -> tuple[int, str, str, str, str, str]:
    pair, verdict = one.pair, one.verdict
    start_s = slot_of(pair.at_ms / 1000, FINEST_S)
    return start_s, pair.endpoint, pair.live_deployment, pair.shadow_deployment, str(verdict.kind), verdict.reason[:64]


def _cell(one: Judged) -> Cell:
    live, shadow = one.pair.live, one.pair.shadow
    live_s, shadow_s = _seconds(live), _seconds(shadow)
    histograms = [Histogram() for _ in range(4)]
    if live_s is not None:
        histograms[0].add(live_s)
    if shadow_s is not None:
        histograms[1].add(shadow_s)
    if live_s is not None and shadow_s is not None:
        histograms[2 if shadow_s >= live_s else 3].add(abs(shadow_s - live_s))
    return Cell([1], [], histograms)


def _seconds(answer: AnswerSeen) -> float | None:
    """How long a whole answer took; None without one."""
    return answer.microseconds / 1e6 if answer.status and not answer.failure else None


# Fields --------------------------------------------------------------------------------------------------------


def _count_fields(comparison: Comparison, judged: Sequence[Judged]) -> None:
    rows = {row.path: row for row in DifferingField.objects.filter(comparison=comparison)}
    sizes: dict[str, Histogram] = {}
    changed: set[str] = set()
    for one in judged:
        met: dict[str, float | None] = {}
        for path, size in one.verdict.fields.items():
            name = storable(path)[:MAX_PATH]
            if name not in rows and len(rows) >= MAX_FIELDS:
                name = ""
            if name not in rows:
                rows[name] = DifferingField(comparison=comparison, path=name, pairs=0, sizes=b"")
            met[name] = max((each for each in (met.get(name), size) if each is not None), default=None)
        for name, size in met.items():
            rows[name].pairs += 1
            changed.add(name)
            if size is not None:
                histogram = sizes.setdefault(name, unpack(bytes(rows[name].sizes)))
                bucket = bucket_of(min(size, LARGEST_SIZE) * SIZES_PER_UNIT)
                histogram.buckets[bucket] = histogram.buckets.get(bucket, 0) + 1
    for name, histogram in sizes.items():
        rows[name].sizes = pack(histogram)
    DifferingField.objects.bulk_create(
        [rows[name] for name in sorted(changed) if rows[name].pk is None],
    )
    DifferingField.objects.bulk_update(
        [rows[name] for name in changed if rows[name].pk is not None], ["pairs", "sizes"], batch_size=100
    )


# Examples ------------------------------------------------------------------------------------------------------


def _keep_worst(comparison: Comparison, judged: Sequence[Judged], *, most: int) -> None:
    """Of each kind the worst, the newer one where two are alike."""
    for kind in KEPT_KINDS:
        found = [one for one in judged if one.verdict.kind == kind]
        found.sort(key=lambda one: (one.verdict.divergence, one.pair.at_ms), reverse=True)
        if not found:
            continue
        ComparisonExample.objects.bulk_create([_example(one) for one in found[:most]])
        rows = ComparisonExample.objects.filter(comparison=comparison, kind=kind)
        kept = list(rows.order_by("-divergence", "-at", "-pk").values_list("pk", flat=True)[:most])
        rows.exclude(pk__in=kept).delete()


def _example(one: Judged) -> ComparisonExample:
    pair, verdict = one.pair, one.verdict
    differences = [
        [storable(each.path)[:MAX_PATH], shown(each.live), shown(each.shadow), each.size]
        for each in verdict.differences
    ]
    return ComparisonExample(
        comparison=one.comparison,
        live=pair.live_deployment,
        kind=verdict.kind,
        reason=verdict.reason[:64],
        divergence=verdict.divergence,
        at=datetime.fromtimestamp(pair.at_ms / 1000, UTC),
        request_id=storable(pair.request_id)[:64],
        live_status=pair.live.status,
        shadow_status=pair.shadow.status,
        live_us=pair.live.microseconds,
        shadow_us=pair.shadow.microseconds,
        live_revision=pair.live.revision,
        shadow_revision=pair.shadow.revision,
        live_type=storable(pair.live.content_type)[:100],
        shadow_type=storable(pair.shadow.content_type)[:100],
        live_body=pair.live.body,
        shadow_body=pair.shadow.body,
        request_body=pair.request,
        difference_count=verdict.count,
        differences=differences,
    )
