"""/api/v1/plan: what documents would change, without changing it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.bodies import values
from endpoints.api.doors import Door, many, read_body
from endpoints.api.revisions import DifferenceOut
from endpoints.services.planning import plan_changes

MAX_DOCUMENTS = 100


class PlanIn(serializers.Serializer[Any]):
    documents = serializers.ListField(
        child=serializers.DictField(),
        min_length=1,
        max_length=MAX_DOCUMENTS,
        help_text="Documents of endpoints and deployments; an endpoint's split takes effect after its deployments.",
    )
    prune = serializers.BooleanField(
        default=False, help_text="Delete deployments of the endpoints among the documents that are not among them."
    )


class PlannedOut(serializers.Serializer[Any]):
    """What one document comes to."""

    endpoint = serializers.CharField()
    deployment = serializers.CharField(help_text="Empty for an endpoint's document.")
    action = serializers.ChoiceField(["create", "update", "delete", "nothing"])
    changes = DifferenceOut(many=True)
    replaced = serializers.ListField(child=serializers.CharField(), help_text="Instances that a roll replaces.")
    started = serializers.IntegerField()
    stopped = serializers.IntegerField()
    quota = serializers.CharField(help_text="What the check of quota found.")
    effects = serializers.ListField(child=serializers.CharField(), help_text="On live traffic.")


class Plan(Door):
    @extend_schema(operation_id="plan", request=PlanIn, responses=PlannedOut(many=True))
    def post(self, request: Request) -> Response:
        """Say what applying these documents would do; nothing is written. A refusal is the one applying would get."""
        return many(PlannedOut, plan_changes(self.user, **read_body(PlanIn, values(request))))
