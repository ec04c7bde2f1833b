"""/api/v1/online-endpoints/{endpoint}/rollouts: guarded rollouts, how they go and what they were stopped by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import document, values
from endpoints.api.doors import Door, created
from endpoints.api.schemas import documents
from endpoints.models import Rollout, RolloutStage
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.rollout_document import RolloutDocument
from endpoints.spec.setpath import put
from endpoints.spec.yaml_reader import SourceDocument
from studio.access.models import User


class RolloutStageOut(serializers.Serializer[RolloutStage]):
    """A stage: Pending, Running, Succeeded, Failed or Skipped. figures: both deployments at its end."""

    number = serializers.IntegerField()
    percent = serializers.IntegerField()
    seconds = serializers.IntegerField()
    requests = serializers.IntegerField()
    is_bake = serializers.BooleanField(help_text="The time before the old deployment goes.")
    title = serializers.CharField()
    state = serializers.CharField()
    detail = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    figures = serializers.JSONField(allow_null=True)


class RolloutOut(serializers.Serializer[Rollout]):
    """A guarded rollout: Running, Paused, Succeeded, RolledBack or Ended (somebody else took over the split)."""

    number = serializers.IntegerField(help_text="Counts the endpoint's rollouts.")
    endpoint_name = serializers.CharField(source="endpoint.name")
    from_deployment = serializers.CharField()
    to_deployment = serializers.CharField()
    state = serializers.CharField()
    stage = serializers.IntegerField(help_text="Number of the stage that runs, or ran last; the first is 0.")
    reason = serializers.CharField(help_text="Why it ended otherwise than by passing: GateBroken, TimedOut, …")
    text = serializers.CharField(help_text="What it waits for, or how it ended.")
    split_before = serializers.DictField(child=serializers.IntegerField())
    stages = RolloutStageOut(many=True)
    document = serializers.DictField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)


class RolloutDetail(RolloutOut):
    """The same with its evidence, and while it lasts both deployments measured now."""

    evidence = serializers.SerializerMethodField()
    now = serializers.SerializerMethodField()

    def get_evidence(self, row: Rollout) -> dict[str, Any] | None:
        return selectors.evidence_for(self.context["user"], row)

    def get_now(self, row: Rollout) -> dict[str, Any] | None:
        if row.finished_at:
            return None
        stage = row.stages.all()[row.stage]
        names = (row.from_deployment, row.to_deployment)
        found = selectors.side_by_side(self.context["user"], row.endpoint.name, names, since=stage.started_at)
        return {
            name: {stretch: measured.to_json() for stretch, measured in by_stretch.items()}
            for name, by_stretch in found.items()
        }


class Rollouts(Door):
    @extend_schema(operation_id="online_endpoints_rollouts", responses=RolloutOut(many=True))
    def get(self, request: Request, endpoint: str) -> Response:
        """The endpoint's rollouts, newest first."""
        return self.listed(selectors.rollouts_for(self.user, endpoint), RolloutOut)

    @extend_schema(
        operation_id="online_endpoints_start_rollout",
        request=documents(RolloutDocument),
        responses={201: RolloutDetail},
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Start a rollout; its first stage has its share at once."""
        named = values(request).get("endpoint_name", endpoint)
        if str(named).lower() != endpoint.lower():
            message = f"The document names {named!r}, the address {endpoint!r}."
            raise Invalid(f"endpoint_name: {message}", details=[FieldError("endpoint_name", message)])
        source = document(request)
        source = source if isinstance(source, SourceDocument) else SourceDocument(source)
        wanted = RolloutDocument.read(put(source, ("endpoint_name",), named))
        rollout = services.start_rollout(self.user, document=wanted)
        return created(_detail(self.user, endpoint, rollout.number))


class RolloutDoor(Door):
    @extend_schema(operation_id="online_endpoints_rollout", responses=RolloutDetail)
    def get(self, request: Request, endpoint: str, number: int) -> Response:
        """One rollout: its stages, its evidence, and what is measured now."""
        return Response(_detail(self.user, endpoint, number))


Verb = Callable[..., Rollout]


class _ByHand(Door):
    """One of the things a person may do to a rollout under way."""

    verb: Verb

    def act(self, endpoint: str, number: int) -> Response:
        type(self).verb(self.user, endpoint=endpoint, number=number)
        return Response(_detail(self.user, endpoint, number))


class RolloutPause(_ByHand):
    verb = staticmethod(services.pause_rollout)

    @extend_schema(operation_id="online_endpoints_pause_rollout", request=None, responses=RolloutDetail)
    def post(self, request: Request, endpoint: str, number: int) -> Response:
        """Hold the present stage; the gates stay on guard."""
        return self.act(endpoint, number)


class RolloutResume(_ByHand):
    verb = staticmethod(services.resume_rollout)

    @extend_schema(operation_id="online_endpoints_resume_rollout", request=None, responses=RolloutDetail)
    def post(self, request: Request, endpoint: str, number: int) -> Response:
        """Go on where it was paused."""
        return self.act(endpoint, number)


class RolloutPromote(_ByHand):
    verb = staticmethod(services.promote_rollout)

    @extend_schema(operation_id="online_endpoints_promote_rollout", request=None, responses=RolloutDetail)
    def post(self, request: Request, endpoint: str, number: int) -> Response:
        """On to the next stage now; from the last one to the end."""
        return self.act(endpoint, number)


class RolloutAbort(_ByHand):
    verb = staticmethod(services.abort_rollout)

    @extend_schema(operation_id="online_endpoints_abort_rollout", request=None, responses=RolloutDetail)
    def post(self, request: Request, endpoint: str, number: int) -> Response:
        """Back to the split that stood before, now."""
        return self.act(endpoint, number)


def _detail(user: User, endpoint: str, number: int) -> dict[str, Any]:
    row = selectors.get_rollout(user, endpoint, number)
    return dict(RolloutDetail(row, context={"user": user}).data)
