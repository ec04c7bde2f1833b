"""/api/v1/operations: accepted changes and how they go."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors
from endpoints.api.doors import Door
from endpoints.models import Operation, OperationStep
from endpoints.services.cancellation import cancel_operation


class StepOut(serializers.Serializer[OperationStep]):
    key = serializers.CharField()
    title = serializers.CharField()
    state = serializers.CharField()
    detail = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class OperationOut(serializers.Serializer[Operation]):
    """An accepted change: Running, Succeeded, Failed or Canceled."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    endpoint_name = serializers.CharField()
    deployment_name = serializers.CharField()
    summary = serializers.CharField()
    failure = serializers.JSONField(allow_null=True)
    steps = StepOut(many=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)


class ChangeOut(serializers.Serializer[Any]):
    """The operation that a change started; none where everything was so already."""

    operation = OperationOut(allow_null=True)


CHANGE = {200: ChangeOut, 202: ChangeOut}


def accepted(operation: Operation | None) -> Response:
    """202 with the operation to follow, or 200 where nothing was to be done."""
    code = status.HTTP_202_ACCEPTED if operation else status.HTTP_200_OK
    return Response(ChangeOut({"operation": operation}).data, status=code)


class Operations(Door):
    @extend_schema(
        operation_id="operations_list",
        parameters=[OpenApiParameter("endpoint", str), OpenApiParameter("deployment", str)],
        responses=OperationOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """Operations, newest first: all, an endpoint's, or a deployment's."""
        wanted = {name: request.query_params.get(name, "") for name in ("endpoint", "deployment")}
        return self.listed(selectors.operations_for(self.user, **wanted), OperationOut)


class OperationDoor(Door):
    @extend_schema(operation_id="operations_show", responses=OperationOut)
    def get(self, request: Request, operation_id: UUID) -> Response:
        """One operation with its steps."""
        return Response(OperationOut(selectors.get_operation(self.user, operation_id)).data)


class OperationCancel(Door):
    @extend_schema(operation_id="operations_cancel", request=None, responses={202: OperationOut})
    def post(self, request: Request, operation_id: UUID) -> Response:
        """Give up a deployment's change under way; the operation ends as Canceled a moment later."""
        operation = cancel_operation(self.user, operation_id=operation_id)
        return Response(OperationOut(operation).data, status=status.HTTP_202_ACCEPTED)
