"""What the autoscaler asks: single numbers over the last minutes, and since when nobody has asked anything.

Nothing measured and nothing heard of are two things: a number that rests on the gateways' counts is None while their
counts do not arrive, so that nothing is scaled in, or put to sleep, for want of news.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Q

from endpoints.models import GaugeRollup, OnlineDeployment, TrafficRollup
from endpoints.spec.histogram import quantiles_ms
from endpoints.spec.scaling_rules import CONCURRENCY, CPU, LATENCY, MEMORY, PERCENTILES, REQUESTS, Question
from endpoints.telemetry.lines import Line, Points
from endpoints.telemetry.metrics import METRICS
from endpoints.telemetry.packing import merged
from endpoints.telemetry.readings import Readings, slots
from endpoints.telemetry.rollups import FINEST_S, HOUR_S, KEPT_S, MINUTE_S
from endpoints.telemetry.windows import ON_THEIR_WAY_S, Window

_COUNTED = frozenset({REQUESTS, LATENCY, CONCURRENCY})


@dataclass(frozen=True, slots=True)
class Signals:
    """Answers about one deployment. is_heard: whether the gateways' counts arrive."""

    deployment: OnlineDeployment
    now: datetime
    is_heard: bool

    def answers(self, questions: Iterable[Question]) -> dict[Question, float | None]:
        """Each number; None where it is not known."""
        return {question: self._answer(question) for question in questions}

    def _answer(self, question: Question) -> float | None:
        if question.metric in _COUNTED and not self.is_heard:
            return None
        readings = self._readings(question)
        if question.metric == LATENCY:
            return _latency(readings, question.statistic)
        return _of(_points(readings, question.metric), question.statistic)

    def _readings(self, question: Question) -> Readings:
        now_s = int(self.now.timestamp()) - ON_THEIR_WAY_S
        end_s = now_s // FINEST_S * FINEST_S
        start_s = end_s - -(-question.window_s // FINEST_S) * FINEST_S
        since_s = int(self.deployment.endpoint.created_at.timestamp()) // FINEST_S * FINEST_S
        window = Window(start_s, end_s, FINEST_S, FINEST_S, now_s, since_s)
        name = self.deployment.name if question.scope == "deployment" else ""
        return Readings(self.deployment.endpoint.name, window, name)

    def idle_s(self, timeout_s: int) -> float | None:
        """How long no request, and no mirrored copy, has come or was under way; None while that is not known.

        Counted from the last change or start at the earliest: a new instance gets its whole time.
        """
        if not self.is_heard:
            return None
        times = [self.deployment.updated_at, *self._starts()]
        seen_s = max(self._last_seen(timeout_s), *(at.timestamp() for at in times))
        return max(0.0, self.now.timestamp() - seen_s)

    def _starts(self) -> list[datetime]:
        rows = self.deployment.instances.filter(ended_at=None, ready_at__isnull=False)
        return [at for at in rows.values_list("ready_at", flat=True) if at is not None]

    def _last_seen(self, timeout_s: int) -> float:
        """The end of the last slot in which something was asked, within twice the timeout; 0 for none."""
        grain_s = next((each for each in (FINEST_S, MINUTE_S) if 2 * timeout_s < KEPT_S[each]), HOUR_S)
        now_s = int(self.now.timestamp())
        start_s = now_s // grain_s * grain_s - 2 * timeout_s // grain_s * grain_s - grain_s
        window = Window(start_s, now_s + grain_s, grain_s, grain_s, now_s)
        place = Q(endpoint=self.deployment.endpoint.name, deployment=self.deployment.name) & slots(window)
        last = [
            TrafficRollup.objects.filter(place, requests__gt=0).aggregate(at=Max("start_s"))["at"],
            GaugeRollup.objects.filter(place, in_flight_ms__gt=0).aggregate(at=Max("start_s"))["at"],
        ]
        # The row says which slot it was in, not when: the whole slot counts as busy.
        return max((at + FINEST_S for at in last if at is not None), default=0.0)


def _latency(readings: Readings, statistic: str) -> float | None:
    if statistic in {"min", "max", "last"}:
        return _of(_points(readings, LATENCY), statistic)
    histogram = merged(row.latency for row in readings.durations)
    if not histogram.buckets:
        return None
    if statistic in PERCENTILES:
        return quantiles_ms(histogram.buckets, (int(statistic[1:]) / 100,))[0]
    return histogram.sum_us / 1000 if statistic == "sum" else histogram.mean_ms()


def _points(readings: Readings, metric: str) -> Points:
    """A value for every step. Rates add up over their lines; what instances use is their mean."""
    lines = METRICS[metric].lines(readings)
    if metric in {CPU, MEMORY, LATENCY}:
        return [_mean(values) for values in _columns(lines)]
    steps = len(readings.window.starts)
    sums = [sum(value or 0.0 for value in values) for values in _columns(lines)]
    return [*sums] or [0.0] * steps


def _columns(lines: list[Line]) -> list[tuple[float | None, ...]]:
    return list(zip(*(line.points for line in lines), strict=True))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _of(points: Points, statistic: str) -> float | None:
    known = [value for value in points if value is not None]
    if not known:
        return None
    match statistic:
        case "min":
            return min(known)
        case "max":
            return max(known)
        case "sum":
            return sum(known)
        case "last":
            return known[-1]
        case _:
            return sum(known) / len(known)
