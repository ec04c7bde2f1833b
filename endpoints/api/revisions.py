"""/api/v1/online-endpoints/{endpoint}/deployments/{deployment}/revisions: what it was made of, and the way back."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, many, read_body
from endpoints.api.operations import CHANGE, accepted
from endpoints.spec.errors import FieldError, Invalid


class DifferenceOut(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Dotted path in the document.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class RevisionOut(serializers.Serializer[selectors.RevisionEntry]):
    """One accepted change of what instances are made of."""

    revision = serializers.IntegerField(source="row.number")
    created_at = serializers.DateTimeField(source="row.created_at")
    created_by = serializers.CharField(source="row.created_by.username", default=None, allow_null=True)
    is_wanted = serializers.BooleanField(help_text="What should run now.")
    is_proven = serializers.BooleanField(help_text="The last one that was rolled out whole.")
    instances = serializers.IntegerField(help_text="How many instances run it now.")
    changes = DifferenceOut(many=True, help_text="Against the revision before it.")


class RevisionDetail(serializers.Serializer[Any]):
    """One revision as a document, and what sets it apart from another."""

    revision = serializers.IntegerField()
    against = serializers.IntegerField()
    document = serializers.DictField()
    changes = DifferenceOut(many=True)


class RollBackIn(serializers.Serializer[Any]):
    revision = serializers.IntegerField(min_value=1)


class Revisions(Door):
    @extend_schema(operation_id="online_deployments_revisions", responses=RevisionOut(many=True))
    def get(self, request: Request, endpoint: str, deployment: str) -> Response:
        """The deployment's revisions, newest first, each with what it changed."""
        row = selectors.get_deployment(self.user, endpoint, deployment)
        return many(RevisionOut, selectors.revision_history(self.user, row))


class RevisionDoor(Door):
    @extend_schema(
        operation_id="online_deployments_revision",
        parameters=[OpenApiParameter("against", int, description="The revision to compare with; the wanted one.")],
        responses=RevisionDetail,
    )
    def get(self, request: Request, endpoint: str, deployment: str, number: int) -> Response:
        """One revision: its document, and what would change with it against another."""
        row = selectors.get_deployment(self.user, endpoint, deployment)
        other = selectors.get_revision(self.user, row, _number(request.query_params.get("against"), row.revision))
        one = selectors.get_revision(self.user, row, number)
        answer = {
            "revision": one.number,
            "against": other.number,
            "document": services.document_of(one),
            "changes": selectors.revision_changes(self.user, row, before=other.number, after=one.number),
        }
        return Response(RevisionDetail(answer).data)


def _number(text: str | None, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        message = f"{text[:40]!r} is not the number of a revision."
        raise Invalid(f"against: {message}", details=[FieldError("against", message)])
    return int(text)


class DeploymentRollBack(Door):
    @extend_schema(operation_id="online_deployments_rollback", request=RollBackIn, responses=CHANGE)
    def post(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Return to what an earlier revision was made of, instance by instance."""
        revision = read_body(RollBackIn, values(request))["revision"]
        return accepted(services.roll_back_deployment(self.user, endpoint=endpoint, name=deployment, revision=revision))
