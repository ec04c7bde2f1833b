"""…/deployments/{deployment}/scaling: the policy and what it decided; …/wake and …/sleep; every policy there is."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import document, values
from endpoints.api.doors import Door, many
from endpoints.api.operations import CHANGE, accepted
from endpoints.api.schemas import documents
from endpoints.models import ScalingDecision
from endpoints.spec.scaling_document import ScalingDocument


class ScalingOut(serializers.Serializer[selectors.ScalingView]):
    """The policy, and how the deployment stands by it now."""

    name = serializers.SerializerMethodField()
    endpoint_name = serializers.CharField(source="deployment.endpoint.name")
    deployment_name = serializers.CharField(source="deployment.name")
    policy = serializers.SerializerMethodField()
    state = serializers.CharField(help_text="awake, asleep, waking or falling asleep")
    instance_count = serializers.IntegerField(source="deployment.instance_count")
    ready_instances = serializers.IntegerField(source="deployment.ready_instances")
    minimum = serializers.IntegerField(help_text="That holds now.")
    maximum = serializers.IntegerField(help_text="That holds now.")
    schedule = serializers.CharField(help_text="The schedule that is on now, empty for none.")
    trouble = serializers.CharField(source="deployment.wake_trouble", help_text="Why it could not be woken last.")

    def get_name(self, view: selectors.ScalingView) -> str:
        return selectors.policy_name(view)

    def get_policy(self, view: selectors.ScalingView) -> dict[str, Any] | None:
        return view.policy.to_json() if view.policy else None


class DecisionOut(serializers.Serializer[ScalingDecision]):
    """One decision; given equals before where it was held back."""

    at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    times = serializers.IntegerField()
    cause = serializers.CharField()
    before = serializers.IntegerField()
    wanted = serializers.IntegerField()
    given = serializers.IntegerField()
    reason = serializers.CharField()
    made_by = serializers.CharField(source="made_by.username", default=None, allow_null=True)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)


class ScalingPolicies(Door):
    @extend_schema(
        operation_id="scaling_policies_list",
        parameters=[OpenApiParameter("name", str, description="Only policies of this name.")],
        responses=ScalingOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """Every scaling policy you may read."""
        return many(ScalingOut, selectors.policies_for(self.user, name=request.query_params.get("name", "")))


class DeploymentScaling(Door):
    @extend_schema(operation_id="online_deployments_scaling_show", responses=ScalingOut)
    def get(self, request: Request, endpoint: str, deployment: str) -> Response:
        """The deployment's scaling policy, and how it stands."""
        return Response(ScalingOut(selectors.scaling_of(self.user, endpoint, deployment)).data)

    @extend_schema(operation_id="online_deployments_scaling_set", request=documents(ScalingDocument), responses=CHANGE)
    def put(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Make this the policy."""
        wanted = ScalingDocument.read(document(request)).to_json()
        return accepted(services.set_scaling(self.user, endpoint=endpoint, name=deployment, policy=wanted))

    @extend_schema(
        operation_id="online_deployments_scaling_change",
        request=documents(ScalingDocument, is_partial=True),
        responses=CHANGE,
    )
    def patch(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Change the keys given; null returns one to its default. Lists are replaced whole."""
        changes = values(request)
        return accepted(services.change_scaling(self.user, endpoint=endpoint, name=deployment, changes=changes))

    @extend_schema(operation_id="online_deployments_scaling_remove", responses=CHANGE)
    def delete(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Go back to a count that people set; a sleeper wakes."""
        return accepted(services.remove_scaling(self.user, endpoint=endpoint, name=deployment))


class ScalingDecisions(Door):
    @extend_schema(operation_id="online_deployments_scaling_decisions", responses=DecisionOut(many=True))
    def get(self, request: Request, endpoint: str, deployment: str) -> Response:
        """What was decided, and why, newest first."""
        row = selectors.get_deployment(self.user, endpoint, deployment)
        return self.listed(selectors.decisions_of(self.user, row), DecisionOut)


class DeploymentWake(Door):
    @extend_schema(operation_id="online_deployments_wake", request=None, responses=CHANGE)
    def post(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Start a sleeping deployment now rather than with the first request."""
        return accepted(services.wake_deployment(self.user, endpoint=endpoint, name=deployment))


class DeploymentSleep(Door):
    @extend_schema(operation_id="online_deployments_sleep", request=None, responses=CHANGE)
    def post(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Let all instances go until the next request."""
        return accepted(services.put_to_sleep(self.user, endpoint=endpoint, name=deployment))
