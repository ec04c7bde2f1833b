"""Single figures of now: the row on an endpoint's page, the shares really seen, and the small lines of the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from endpoints.models.telemetry import TrafficRollup
from endpoints.spec.histogram import quantiles_ms
from endpoints.telemetry.cells import slot_of
from endpoints.telemetry.metrics import is_error
from endpoints.telemetry.packing import merged
from endpoints.telemetry.readings import Readings, slots
from endpoints.telemetry.rollups import FINEST_S, MINUTE_S
from endpoints.telemetry.windows import ON_THEIR_WAY_S, Window

RECENT_S = 300
SPARK_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Recent:
    """The last five minutes. None: there was nothing to tell it from.

    seen: requests by deployment, of those that reached one.
    """

    requests: int
    requests_per_minute: float
    p50_ms: float | None
    p99_ms: float | None
    error_percent: float | None
    seen: dict[str, int]

    @property
    def answered(self) -> int:
        return sum(self.seen.values())

    @property
    def unanswered(self) -> int:
        """Requests that reached no deployment: no key, no route."""
        return self.requests - self.answered

    def share_percent(self, deployment: str) -> float:
        """Of the requests that reached a deployment, how many reached this one."""
        return 100 * self.seen.get(deployment, 0) / self.answered if self.answered else 0.0


def recent(endpoint: str, *, now: datetime, deployment: str = "", since: datetime | None = None) -> Recent:
    """What happened at an endpoint in the last five minutes. Two queries."""
    now_s = int(now.timestamp()) - ON_THEIR_WAY_S
    end_s = slot_of(now_s, FINEST_S)
    since_s = slot_of(since.timestamp(), FINEST_S) if since else 0
    window = Window(end_s - RECENT_S, end_s, FINEST_S, RECENT_S, now_s, since_s)
    found = Readings(endpoint, window, deployment)
    rows, seen = found.traffic, dict[str, int]()
    for row in rows:
        if row.deployment:
            seen[row.deployment] = seen.get(row.deployment, 0) + row.requests
    latency = merged(row.latency for row in found.durations)
    requests = sum(row.requests for row in rows)
    failed = sum(row.requests for row in rows if is_error(row))
    p50_ms, p99_ms = quantiles_ms(latency.buckets, (0.5, 0.99))
    percent = 100 * failed / requests if requests else None
    return Recent(requests, requests * 60 / RECENT_S, p50_ms, p99_ms, percent, seen)


def sparks(endpoints: Collection[str], *, now: datetime) -> dict[str, list[int]]:
    """Requests by minute of the last hour, for each of many endpoints that had any. One query."""
    end_s = slot_of(now.timestamp() - ON_THEIR_WAY_S, MINUTE_S)
    start_s = end_s - SPARK_MINUTES * MINUTE_S
    window = Window(start_s, end_s, MINUTE_S, MINUTE_S, int(now.timestamp()) - ON_THEIR_WAY_S)
    rows = TrafficRollup.objects.filter(slots(window), endpoint__in=endpoints, is_mirror=False)
    found: dict[str, list[int]] = defaultdict(lambda: [0] * SPARK_MINUTES)
    for endpoint, slot_s, requests in rows.values_list("endpoint", "start_s").annotate(Sum("requests")):
        found[endpoint][window.index(slot_s)] += requests
    return dict(found)
