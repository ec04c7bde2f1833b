"""/api/v1/online-endpoints/{endpoint}/metrics: what was measured, by the names Azure Monitor knows and a few more."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors
from endpoints.api.doors import Door
from endpoints.spec.errors import FieldError, Invalid
from endpoints.telemetry.metrics import METRICS, Metric, metric_named
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.windows import DEFAULT_RANGE, RANGES

NAMES_AT_ONCE = 10


class MetricLineOut(serializers.Serializer[Any]):
    """One line: its dimensions, and a value for every timestamp (null: nothing to tell)."""

    dimensions = serializers.DictField(child=serializers.CharField())
    values = serializers.ListField(child=serializers.FloatField(allow_null=True))


class MetricOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    unit = serializers.CharField()
    description = serializers.CharField()
    series = MetricLineOut(many=True, required=False)


class MetricsOut(serializers.Serializer[Any]):
    """Metrics over one range. Without a name: which there are, without their series."""

    endpoint = serializers.CharField()
    deployment = serializers.CharField(allow_null=True)
    range = serializers.CharField()
    interval_seconds = serializers.IntegerField()
    timestamps = serializers.ListField(child=serializers.DateTimeField())
    metrics = MetricOut(many=True)


class EndpointMetrics(Door):
    @extend_schema(
        operation_id="online_endpoints_metrics",
        parameters=[
            OpenApiParameter("name", str, description=f"Names with commas between: {', '.join(METRICS)}"),
            OpenApiParameter("range", str, enum=list(RANGES), default=DEFAULT_RANGE),
            OpenApiParameter("deployment", str),
        ],
        responses=MetricsOut,
    )
    def get(self, request: Request, endpoint: str) -> Response:
        """What was measured at an endpoint, or at one of its deployments."""
        query = request.query_params
        range_key = query.get("range", "") or DEFAULT_RANGE
        deployment = query.get("deployment", "")
        found = selectors.readings(self.user, endpoint, range_key=range_key, deployment=deployment)
        wanted = _wanted(query.get("name", ""))
        return Response(
            {
                "endpoint": found.endpoint,
                "deployment": found.deployment or None,
                "range": range_key,
                "interval_seconds": found.window.step_s,
                "timestamps": found.window.times if wanted else [],
                "metrics": [_with_series(one, found) for one in wanted] or [_about(one) for one in METRICS.values()],
            }
        )


def _with_series(metric: Metric, found: Readings) -> dict[str, Any]:
    lines = [{"dimensions": line.dimensions, "values": line.points} for line in metric.lines(found)]
    return {**_about(metric), "series": lines}


def _about(metric: Metric) -> dict[str, Any]:
    return {"name": metric.name, "unit": metric.unit, "description": metric.text}


def _wanted(names: str) -> list[Metric]:
    found = [metric_named(name.strip()) for name in names.split(",") if name.strip()]
    if len(found) > NAMES_AT_ONCE:
        message = f"At most {NAMES_AT_ONCE} metrics at once."
        raise Invalid(f"name: {message}", details=[FieldError("name", message)])
    return found
