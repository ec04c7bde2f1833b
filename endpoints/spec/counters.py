"""What the gateway counted, on its way to telemetry: batches of mergeable deltas, one a second and process.

Each batch is one entry of the Redis stream `STREAM`, fields `id` and `batch` (JSON of `CounterBatch`). A batch may be
delivered twice (its first delivery was not confirmed): readers drop an id they have seen.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from endpoints.spec.histogram import Histogram

STREAM = "slipway:counters"
KEPT_SECONDS = 600
HEARTBEATS = "slipway:gateways"  # Redis hash: a gateway -> the Unix milliseconds at which it was last there


class SeriesKey(NamedTuple):
    """What a request was counted under.

    status: what the client got; 499 when it left first. model_status: what the instance answered, 0 for nothing.
    reason: the error's code when the gateway itself refused or gave up, else "". is_mirror: the copy sent to a shadow.
    """

    endpoint: str
    deployment: str
    instance: str
    status: int
    model_status: int
    reason: str
    is_mirror: bool


class Series(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Requests of one key. latency: head received to answer sent; model_latency: forwarded to answer received."""

    endpoint: str
    deployment: str = ""
    instance: str = ""
    status: int = 0
    model_status: int = 0
    reason: str = ""
    is_mirror: bool = False
    requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    latency: Histogram = msgspec.field(default_factory=Histogram)
    model_latency: Histogram = msgspec.field(default_factory=Histogram)

    @property
    def key(self) -> SeriesKey:
        """The dimensions alone."""
        return SeriesKey(
            self.endpoint, self.deployment, self.instance, self.status, self.model_status, self.reason, self.is_mirror
        )

    def merge(self, other: Series) -> None:
        """Add the counts of `other`, which has the same key."""
        self.requests += other.requests
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes
        self.latency.merge(other.latency)
        self.model_latency.merge(other.model_latency)


class Gauge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one deployment, at the end of the batch, in one process. limit: how many may be in flight in all processes."""

    endpoint: str
    deployment: str
    in_flight: int = 0
    queued: int = 0
    limit: int = 0


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Requests of one deployment that waited for it to wake: answered after all, given up, and how long they waited."""

    endpoint: str
    deployment: str
    answered: int = 0
    given_up: int = 0
    waited: Histogram = msgspec.field(default_factory=Histogram)


class CounterBatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Deltas since the last batch of the same process. Times are Unix milliseconds.

    id: unique for ever. source: the process. connections: open at the end; accepted: since the last batch.
    """

    id: str
    source: str
    started_at_ms: int
    ended_at_ms: int
    series: tuple[Series, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    held: tuple[Held, ...] = ()
    connections: int = 0
    accepted: int = 0
