"""/api/v1/online-endpoints/{endpoint}/comparison: how a shadow's answers stand to those callers got."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, many, nothing, read_body
from endpoints.api.operations import CHANGE, accepted
from endpoints.models import ComparisonExample
from endpoints.spec.agreement import Kind
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.schema import to_json
from endpoints.telemetry.comparisons import QUANTILES

_WORDS = [f"p{quantile * 100:g}" for quantile in QUANTILES]
_KEPT = (Kind.DIFFERENT, Kind.SHADOW_ERROR)


class ReasonOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    reason = serializers.CharField()
    pairs = serializers.IntegerField()


class FieldOut(serializers.Serializer[Any]):
    """A place at which answers differ; path "" stands for all there was no room for."""

    path = serializers.CharField()
    pairs = serializers.IntegerField()
    typical = serializers.FloatField(allow_null=True, help_text="Median distance of the two numbers.")
    largest = serializers.FloatField(allow_null=True)


class LatenciesOut(serializers.Serializer[Any]):
    """p50, p90, p99 in milliseconds. difference: of a pair, positive where the shadow was slower."""

    live = serializers.DictField(child=serializers.FloatField(allow_null=True))
    shadow = serializers.DictField(child=serializers.FloatField(allow_null=True))
    difference = serializers.DictField(child=serializers.FloatField(allow_null=True))


class ComparisonOut(serializers.Serializer[Any]):
    """A comparison since it began. Shadow errors count against agreement; what is not comparable does not count."""

    endpoint = serializers.CharField()
    state = serializers.ChoiceField(choices=["off", "mirroring", "waiting", "on"])
    shadow = serializers.CharField(allow_null=True)
    percent = serializers.IntegerField()
    settings = serializers.DictField(allow_null=True)
    compared_shadow = serializers.CharField(allow_null=True, help_text="Whom the figures below are about.")
    started_at = serializers.DateTimeField(allow_null=True)
    pairs = serializers.IntegerField()
    agreement_percent = serializers.FloatField(allow_null=True)
    kinds = serializers.DictField(child=serializers.IntegerField())
    reasons = ReasonOut(many=True)
    latency_ms = LatenciesOut(allow_null=True)
    fields_ = FieldOut(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a word of the framework; in the answer it is ours."""
        found = super().get_fields()
        found["fields"] = found.pop("fields_")
        return found


class ExampleOut(serializers.Serializer[ComparisonExample]):
    """One of the worst pairs, without its bodies."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    reason = serializers.CharField()
    divergence = serializers.FloatField()
    at = serializers.DateTimeField()
    request_id = serializers.CharField()
    live = serializers.CharField()
    live_status = serializers.IntegerField()
    shadow_status = serializers.IntegerField()
    live_ms = serializers.SerializerMethodField()
    shadow_ms = serializers.SerializerMethodField()
    live_revision = serializers.IntegerField()
    shadow_revision = serializers.IntegerField()
    difference_count = serializers.IntegerField()
    differences = serializers.SerializerMethodField()

    def get_live_ms(self, row: ComparisonExample) -> float:
        return row.live_us / 1000

    def get_shadow_ms(self, row: ComparisonExample) -> float:
        return row.shadow_us / 1000

    def get_differences(self, row: ComparisonExample) -> list[dict[str, Any]]:
        names = ("path", "live", "shadow", "size")
        return [dict(zip(names, each, strict=True)) for each in row.differences]


class BodyOut(serializers.Serializer[Any]):
    """`body` is text; `body_encoding` is base64 where it was none."""

    body = serializers.CharField()
    body_encoding = serializers.CharField()


class WholeExampleOut(ExampleOut):
    """One of the worst pairs, whole. request: null where it was not asked to be kept."""

    live_answer = serializers.SerializerMethodField()
    shadow_answer = serializers.SerializerMethodField()
    request = serializers.SerializerMethodField()

    def get_live_answer(self, row: ComparisonExample) -> dict[str, str]:
        return _body(row.live_body)

    def get_shadow_answer(self, row: ComparisonExample) -> dict[str, str]:
        return _body(row.shadow_body)

    def get_request(self, row: ComparisonExample) -> dict[str, str] | None:
        return None if row.request_body is None else _body(row.request_body)


def _body(stored: bytes | memoryview) -> dict[str, str]:
    body = bytes(stored)
    try:
        return {"body": body.decode(), "body_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "body_encoding": "base64"}


class PromotionIn(serializers.Serializer[Any]):
    percent = serializers.IntegerField(default=100, min_value=1, max_value=100)


class ComparisonDoor(Door):
    @extend_schema(operation_id="online_endpoints_comparison", responses=ComparisonOut)
    def get(self, request: Request, endpoint: str) -> Response:
        """How far a shadow's answers agree with the live ones, where they differ, and how long both take."""
        return Response(ComparisonOut(_told(selectors.comparison_of(self.user, endpoint))).data)


def _told(found: selectors.Compared) -> dict[str, Any]:
    summary, last = found.summary, found.last
    return {
        "endpoint": found.endpoint.name,
        "state": found.state,
        "shadow": found.shadow or None,
        "percent": found.percent,
        "settings": to_json(found.settings) if found.settings else None,
        "compared_shadow": last.shadow if last else None,
        "started_at": last.started_at if last else None,
        "pairs": summary.pairs if summary else 0,
        "agreement_percent": summary.agreement_percent if summary else None,
        "kinds": {str(kind): count for kind, count in summary.kinds.items()} if summary else {},
        "reasons": [one for one in summary.reasons if one.reason] if summary else [],
        "latency_ms": {name: _quantiles(getattr(summary.latencies, name)) for name in ("live", "shadow", "difference")}
        if summary
        else None,
        "fields": found.fields,
    }


def _quantiles(found: Sequence[float | None]) -> dict[str, float | None]:
    return dict(zip(_WORDS, found, strict=True))


class ComparisonExamples(Door):
    @extend_schema(
        operation_id="online_endpoints_comparison_examples",
        parameters=[OpenApiParameter("kind", str, enum=[str(kind) for kind in _KEPT])],
        responses=ExampleOut(many=True),
    )
    def get(self, request: Request, endpoint: str) -> Response:
        """The worst pairs, the worst first; their bodies are behind each one's own address."""
        kind = request.query_params.get("kind", "")
        if kind and kind not in _KEPT:
            message = f"{kind[:40]!r} is no kind of which pairs are kept; choose {' or '.join(_KEPT)}."
            raise Invalid(f"kind: {message}", details=[FieldError("kind", message)])
        return many(ExampleOut, selectors.comparison_examples(self.user, endpoint, kind=kind))


class ComparisonExampleDoor(Door):
    @extend_schema(operation_id="online_endpoints_comparison_example", responses=WholeExampleOut)
    def get(self, request: Request, endpoint: str, example_id: int) -> Response:
        """Both answers of one pair, and the request where it was kept."""
        row = selectors.comparison_example(self.user, endpoint, example_id)
        return Response(WholeExampleOut(row).data, headers={"Cache-Control": "no-store"})


class ComparisonReset(Door):
    @extend_schema(operation_id="online_endpoints_comparison_reset", request=None, responses={204: None})
    def post(self, request: Request, endpoint: str) -> Response:
        """Forget all that was found, the kept answers too, and count on from nothing."""
        services.reset_comparison(self.user, name=endpoint)
        return nothing()


class ComparisonPromotion(Door):
    @extend_schema(operation_id="online_endpoints_comparison_promote", request=PromotionIn, responses=CHANGE)
    def post(self, request: Request, endpoint: str) -> Response:
        """Give the shadow its share of the live traffic, and mirror no more."""
        percent = read_body(PromotionIn, values(request))["percent"]
        return accepted(services.promote_shadow(self.user, name=endpoint, percent=percent))
