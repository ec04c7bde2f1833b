"""How long requests took, by deployment and step: histograms are merged once, and figures read from them.

Knows no metric's name and no label; `endpoints.telemetry.metrics` makes lines of these numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from endpoints.spec.histogram import Histogram, quantiles_ms
from endpoints.telemetry.packing import merged, sum_of
from endpoints.telemetry.readings import Durations, Readings, Which

# Milliseconds by the name of the deployment and the beginning of the step.
ByDeployment = dict[str, dict[int, float]]


def whole(row: Durations) -> bytes:
    """From the request's head to the end of the answer."""
    return row.latency


def model(row: Durations) -> bytes:
    """From forwarding it to the end of the instance's answer."""
    return row.model_latency


def _merged(readings: Readings, which: Which) -> dict[tuple[str, int], Histogram]:
    """One histogram for every deployment and step, worked out once. Requests that reached no deployment have none."""
    kept = readings.kept.get(which)
    if kept is None:
        found: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        for row in readings.durations:
            if packed := which(row):
                found[row.deployment, row.start_s].append(packed)
        kept = readings.kept[which] = {place: merged(packed) for place, packed in found.items()}
    return kept


def quantiles_by_deployment(readings: Readings, quantiles: tuple[float, ...], *, which: Which) -> list[ByDeployment]:
    """One for every quantile, all of them read in one walk."""
    return _quantiles(_merged(readings, which), quantiles)


def holds_by_deployment(readings: Readings, quantile: float) -> ByDeployment:
    """How long requests waited for a deployment to wake."""
    return _quantiles(readings.hold_times, (quantile,))[0]


def _quantiles(histograms: Mapping[tuple[str, int], Histogram], quantiles: tuple[float, ...]) -> list[ByDeployment]:
    found: list[ByDeployment] = [defaultdict(dict) for _ in quantiles]
    for (deployment, start_s), histogram in histograms.items():
        for each, value in zip(found, quantiles_ms(histogram.buckets, quantiles), strict=True):
            if value is not None:
                each[deployment][start_s] = value
    return found


def means_by_deployment(readings: Readings) -> ByDeployment:
    found: ByDeployment = defaultdict(dict)
    for (deployment, start_s), histogram in _merged(readings, whole).items():
        found[deployment][start_s] = histogram.mean_ms() or 0.0
    return found


def outside_by_deployment(readings: Readings) -> ByDeployment:
    """The mean spent outside the instance."""
    sums: dict[tuple[str, int], int] = defaultdict(int)
    for row in readings.durations:
        if row.model_latency:
            sums[row.deployment, row.start_s] += sum_of(row.latency)
    asked = _merged(readings, model)
    found: ByDeployment = defaultdict(dict)
    for place, us in sums.items():
        inside = asked[place]
        found[place[0]][place[1]] = max(us - inside.sum_us, 0) / inside.count / 1000
    return found
