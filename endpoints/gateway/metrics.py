"""The counters as Prometheus text. Names follow its rules: base units, `_total` on counters. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from endpoints.gateway.totals import Totals
from endpoints.spec.counters import Series
from endpoints.spec.histogram import Histogram, upper_bound_us

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Every eleventh of our buckets: steps of about 1.55, few enough to scrape and exact at their bounds.
_BOUNDS = range(115, 460, 11)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labels(**labels: object) -> str:
    return "{" + ",".join(f'{name}="{_escape(str(value))}"' for name, value in labels.items()) + "}"


def _metric(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{where} {value:g}" for where, value in samples)]


def _counter(name: str, text: str, samples: Iterable[tuple[str, int]]) -> list[str]:
    lines = [f"{name}{where} {value}" for where, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} counter", *lines]


def _series_labels(series: Series) -> str:
    return _labels(
        endpoint=series.endpoint,
        deployment=series.deployment,
        instance=series.instance,
        code=series.status,
        model_code=series.model_status,
    )


def _histograms(name: str, text: str, merged: dict[tuple[str, str], Histogram]) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    for (endpoint, deployment), histogram in sorted(merged.items()):
        where = {"endpoint": endpoint, "deployment": deployment}
        remaining = sorted(histogram.buckets.items())
        seen = at = 0
        for bound in _BOUNDS:
            while at < len(remaining) and remaining[at][0] <= bound:
                seen += remaining[at][1]
                at += 1
            lines.append(f"{name}_bucket{_labels(**where, le=f'{upper_bound_us(bound) / 1e6:.6g}')} {seen}")
        count = histogram.count
        lines.append(f"{name}_bucket{_labels(**where, le='+Inf')} {count}")
        lines.append(f"{name}_sum{_labels(**where)} {histogram.sum_us / 1e6:.6f}")
        lines.append(f"{name}_count{_labels(**where)} {count}")
    return lines


def render(
    totals: Totals,
    *,
    routes_version: int,
    processes: int,
    unsent: int,
    is_compiled: bool = False,
    pairs_lost: int = 0,
) -> str:
    """The whole page."""
    live = [series for series in totals.series if not series.is_mirror]
    shadows = [series for series in totals.series if series.is_mirror]
    whole: dict[tuple[str, str], Histogram] = defaultdict(Histogram)
    model: dict[tuple[str, str], Histogram] = defaultdict(Histogram)
    rejected: dict[str, int] = defaultdict(int)
    mirrored: dict[str, int] = defaultdict(int)
    for series in live:
        if series.reason:
            where = _labels(endpoint=series.endpoint, deployment=series.deployment, reason=series.reason)
            rejected[where] += series.requests
        if series.deployment:
            whole[series.endpoint, series.deployment].merge(series.latency)
            model[series.endpoint, series.deployment].merge(series.model_latency)
    for series in shadows:
        where = _labels(
            endpoint=series.endpoint,
            deployment=series.deployment,
            model_code=series.model_status,
            reason=series.reason,
        )
        mirrored[where] += series.requests
    counted = _by_labels(live)
    gauges = [(_labels(endpoint=g.endpoint, deployment=g.deployment), g) for g in totals.gauges()]
    lines = [
        *_counter("slipway_requests_total", "Answered requests.", [(w, s.requests) for w, s in counted]),
        *_counter("slipway_request_bytes_total", "Payload received.", [(w, s.request_bytes) for w, s in counted]),
        *_counter("slipway_response_bytes_total", "Bytes answered.", [(w, s.response_bytes) for w, s in counted]),
        *_counter("slipway_refused_total", "Requests the gateway refused or gave up, by reason.", rejected.items()),
        *_counter("slipway_mirrored_requests_total", "Copies sent to shadow deployments.", mirrored.items()),
        *_histograms("slipway_request_duration_seconds", "From the request's head to the end of its answer.", whole),
        *_histograms("slipway_model_duration_seconds", "From forwarding to the end of the model's answer.", model),
        *_metric(
            "slipway_requests_in_flight", "gauge", "Let in and not yet answered.", ((w, g.in_flight) for w, g in gauges)
        ),
        *_metric("slipway_requests_queued", "gauge", "Waiting for an instance.", ((w, g.queued) for w, g in gauges)),
        *_metric("slipway_connections", "gauge", "Open client connections.", [("", totals.connections)]),
        *_counter("slipway_connections_accepted_total", "Accepted client connections.", [("", totals.accepted)]),
        *_metric("slipway_routes_version", "gauge", "Version of the route table in force.", [("", routes_version)]),
        *_metric("slipway_gateway_compiled", "gauge", "1: by the compiled build.", [("", int(is_compiled))]),
        *_metric("slipway_gateway_processes", "gauge", "Serving processes.", [("", processes)]),
        *_metric("slipway_counter_batches_unsent", "gauge", "Batches that telemetry has not taken.", [("", unsent)]),
        *_counter("slipway_pair_batches_lost_total", "Pairs of answers nobody could be given.", [("", pairs_lost)]),
    ]
    return "\n".join(lines) + "\n"


def _by_labels(series: Iterable[Series]) -> list[tuple[str, Series]]:
    """One per set of labels: reasons are a metric of their own."""
    merged: dict[str, Series] = {}
    for one in series:
        where = _series_labels(one)
        if where not in merged:
            merged[where] = Series(endpoint=one.endpoint)
        merged[where].merge(one)
    return sorted(merged.items())
