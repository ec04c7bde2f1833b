"""/api/v1/quota-requests and /api/v1/audit: asking for more and deciding about it, and what people did."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, created, read_body
from endpoints.models import QuotaRequest
from studio.access.audit import records_for
from studio.access.models import AuditRecord


class QuotaRequestOut(serializers.Serializer[QuotaRequest]):
    """Somebody asks for a family's limit to become `limit_cores`: Open, Approved or Declined."""

    id = serializers.IntegerField()
    family = serializers.CharField()
    limit_cores = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.CharField()
    note = serializers.CharField()
    asked_by = serializers.CharField(source="asked_by.username", default=None, allow_null=True)
    asked_at = serializers.DateTimeField()
    decided_by = serializers.CharField(source="decided_by.username", default=None, allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)


class QuotaRequestIn(serializers.Serializer[Any]):
    family = serializers.CharField(max_length=64)
    limit_cores = serializers.IntegerField()
    reason = serializers.CharField(required=False, allow_blank=True)


class DecisionIn(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, default="")


class QuotaRequests(Door):
    @extend_schema(operation_id="quota_requests_list", responses=QuotaRequestOut(many=True))
    def get(self, request: Request) -> Response:
        """Open ones first: all for whoever decides, else your own."""
        return self.listed(selectors.quota_requests(self.user), QuotaRequestOut)

    @extend_schema(operation_id="quota_requests_ask", request=QuotaRequestIn, responses={201: QuotaRequestOut})
    def post(self, request: Request) -> Response:
        """Ask for a higher limit of a family."""
        wanted = read_body(QuotaRequestIn, values(request))
        return created(QuotaRequestOut(services.request_quota(self.user, **wanted)).data)


class QuotaRequestApproval(Door):
    @extend_schema(operation_id="quota_requests_approve", request=DecisionIn, responses=QuotaRequestOut)
    def post(self, request: Request, request_id: int) -> Response:
        """Give what was asked for."""
        note = read_body(DecisionIn, values(request))["note"]
        row = services.approve_quota_request(self.user, request_id=request_id, note=note)
        return Response(QuotaRequestOut(row).data)


class QuotaRequestRefusal(Door):
    @extend_schema(operation_id="quota_requests_decline", request=DecisionIn, responses=QuotaRequestOut)
    def post(self, request: Request, request_id: int) -> Response:
        """Say no; the note says why."""
        note = read_body(DecisionIn, values(request))["note"]
        row = services.decline_quota_request(self.user, request_id=request_id, note=note)
        return Response(QuotaRequestOut(row).data)


class AuditOut(serializers.Serializer[AuditRecord]):
    """Who did what, when and from where; `is_refused` where they were not allowed to."""

    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="Empty for the studio itself.")
    action = serializers.CharField()
    target = serializers.CharField()
    summary = serializers.CharField()
    is_refused = serializers.BooleanField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    address = serializers.CharField()
    door = serializers.CharField()


class Audit(Door):
    @extend_schema(
        operation_id="audit_list",
        parameters=[OpenApiParameter("actor", str), OpenApiParameter("action", str)],
        responses=AuditOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """What people did, newest first."""
        asked = {name: request.query_params.get(name, "") for name in ("actor", "action")}
        rows = records_for(self.user).filter(**{name: value for name, value in asked.items() if value})
        return self.listed(rows, AuditOut)
