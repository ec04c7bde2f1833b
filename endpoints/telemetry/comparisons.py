"""What comparing a shadow found: sums, fields and examples. Asks for no permission: selectors do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from endpoints.models import Comparison, ComparisonExample, ComparisonRollup, DifferingField
from endpoints.spec.agreement import AGREEING, COMPARED, Kind
from endpoints.spec.histogram import Histogram, quantiles_ms
from endpoints.telemetry.cells import slot_of
from endpoints.telemetry.packing import merged, unpack
from endpoints.telemetry.readings import slots
from endpoints.telemetry.rollups import FINEST_S, HOUR_S, locked
from endpoints.telemetry.windows import Window

EXAMPLES_KEPT = timedelta(days=30)
QUANTILES = (0.5, 0.9, 0.99)
SIZES_PER_UNIT = 1e9  # sizes of differences are kept in whole parts of this
_Milliseconds = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Latencies:
    """p50, p90 and p99 in milliseconds, None without a measurement. difference: how much slower the shadow was."""

    live: _Milliseconds
    shadow: _Milliseconds
    difference: _Milliseconds


@dataclass(frozen=True, slots=True)
class Reason:
    """Why pairs ended in this kind."""

    kind: Kind
    reason: str
    pairs: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A comparison since it began. Shadow errors count against agreement; what is not comparable does not count."""

    kinds: Mapping[Kind, int]
    reasons: tuple[Reason, ...]
    latencies: Latencies

    @property
    def pairs(self) -> int:
        """All that were looked at."""
        return sum(count for kind, count in self.kinds.items() if kind != Kind.LEFT_OUT)

    @property
    def compared(self) -> int:
        return sum(self.kinds.get(kind, 0) for kind in COMPARED)

    @property
    def agreeing(self) -> int:
        return sum(self.kinds.get(kind, 0) for kind in AGREEING)

    @property
    def agreement_percent(self) -> float | None:
        return 100 * self.agreeing / self.compared if self.compared else None


def summary(comparison: Comparison, *, now: datetime) -> Summary:
    """Everything counted since the comparison began. Two queries."""
    window = _since(comparison, now)
    rows = ComparisonRollup.objects.filter(slots(window), endpoint=comparison.endpoint.name, shadow=comparison.shadow)
    counted = rows.values_list("kind", "reason").annotate(total=Sum("pairs")).order_by("kind", "-total", "reason")
    reasons = tuple(Reason(Kind(kind), reason, int(pairs)) for kind, reason, pairs in counted)
    kinds = {kind: sum(one.pairs for one in reasons if one.kind == kind) for kind in Kind}
    packed = list(rows.values_list("live_latency", "shadow_latency", "slower", "faster"))
    live, shadow, slower, faster = (merged(bytes(row[at]) for row in packed) for at in range(4))
    latencies = Latencies(
        live=tuple(quantiles_ms(live.buckets, QUANTILES)),
        shadow=tuple(quantiles_ms(shadow.buckets, QUANTILES)),
        difference=signed_quantiles_ms(slower, faster, QUANTILES),
    )
    return Summary(kinds, reasons, latencies)


def _since(comparison: Comparison, now: datetime) -> Window:
    """All slots from the beginning on, in hours as far as there are any; what was there before has been deleted."""
    start_s = slot_of(comparison.started_at.timestamp(), HOUR_S)
    now_s = int(now.timestamp())
    end_s = slot_of(now_s, FINEST_S) + FINEST_S
    return Window(start_s, end_s, HOUR_S, HOUR_S, now_s)


def signed_quantiles_ms(slower: Histogram, faster: Histogram, quantiles: Iterable[float]) -> _Milliseconds:
    """Quantiles of differences of which the negative ones are kept apart, as their distance from zero."""
    wanted = tuple(quantiles)
    behind, ahead = slower.count, faster.count
    total = behind + ahead
    found: list[float | None] = []
    for quantile in wanted:
        rank = quantile * total
        if not total:
            found.append(None)
        elif rank <= ahead:
            value = quantiles_ms(faster.buckets, [1 - rank / ahead])[0] if ahead else 0.0
            found.append(-(value or 0.0))
        else:
            found.append(quantiles_ms(slower.buckets, [(rank - ahead) / behind])[0])
    return tuple(found)


@dataclass(frozen=True, slots=True)
class FieldFound:
    """A place at which answers differ. path "": all other places. typical, largest: distance of numbers, if any."""

    path: str
    pairs: int
    typical: float | None
    largest: float | None


def differing_fields(comparison: Comparison, *, most: int) -> list[FieldFound]:
    """Those that differed in the most pairs first, and last of all what stands for the others."""
    rows = DifferingField.objects.filter(comparison=comparison)
    named = list(rows.exclude(path="").order_by("-pairs", "path")[:most])
    return [_field(row) for row in (*named, *rows.filter(path=""))]


def _field(row: DifferingField) -> FieldFound:
    typical, largest = quantiles_ms(unpack(bytes(row.sizes)).buckets, (0.5, 1.0))
    return FieldFound(row.path, row.pairs, _size(typical), _size(largest))


def _size(milliseconds: float | None) -> float | None:
    """Back from the histogram's words: it takes what it counts for microseconds."""
    return None if milliseconds is None else milliseconds * 1000 / SIZES_PER_UNIT


def worst_examples(comparison: Comparison, *, kind: str = "") -> list[ComparisonExample]:
    """The kept pairs, without their bodies: those that differ and then those that failed, the worst first."""
    rows = ComparisonExample.objects.filter(comparison=comparison, **({"kind": kind} if kind else {}))
    return list(rows.defer("live_body", "shadow_body", "request_body").order_by("kind", "-divergence", "-at", "-pk"))


def forget_old(*, now: datetime) -> int:
    """Delete kept answers that nobody needs any more; returns how many."""
    deleted, _ = ComparisonExample.objects.filter(at__lt=now - EXAMPLES_KEPT).delete()
    return deleted


def forget_all(endpoint: str) -> None:
    """Delete everything that comparing at this endpoint found; pairs on their way are dropped by their time."""
    with locked():
        ComparisonRollup.objects.filter(endpoint=endpoint).delete()
        DifferingField.objects.filter(comparison__endpoint__name=endpoint).delete()
        ComparisonExample.objects.filter(comparison__endpoint__name=endpoint).delete()
