"""/api/v1/online-endpoints/{endpoint}/deployments: deployments and their logs."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from django.utils.dateparse import parse_datetime
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import document, values
from endpoints.api.doors import Door
from endpoints.api.endpoints import require_same_name
from endpoints.api.environments import FOLLOW, LINES
from endpoints.api.operations import CHANGE, accepted
from endpoints.api.schemas import documents, schema_of
from endpoints.api.streaming import Streams, log_answer
from endpoints.models import Instance, OnlineDeployment
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.dropped_logs import HEADER
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.loglines import LogFilter
from endpoints.telemetry.logs import Tailer
from studio.access.models import User

DEFAULT_LINES = 5000  # contract B17
MAX_LINES = 100_000
DROPPED = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    response=True,
    description="Where older lines are gone, by age or size: how many, up to when and why.",
)
SKIP_SCRIPT_VALIDATION = OpenApiParameter("skip_script_validation", bool)


class InstanceOut(serializers.Serializer[Instance]):
    """One instance as last observed."""

    id = serializers.CharField()
    revision = serializers.IntegerField()
    state = serializers.CharField()
    reason = serializers.CharField()
    failure = serializers.JSONField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)


class FailedInstanceOut(serializers.Serializer[Instance]):
    """One instance that failed, and why."""

    id = serializers.CharField()
    ended_at = serializers.DateTimeField()
    exit_code = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    failure = serializers.JSONField(allow_null=True)


class DeploymentFacts(serializers.Serializer[OnlineDeployment]):
    """What only the studio can know of a deployment."""

    provisioning_state = serializers.CharField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    stop_reason = serializers.CharField()
    revision = serializers.IntegerField()
    ready_instances = serializers.IntegerField()
    is_asleep = serializers.BooleanField()
    failure = serializers.JSONField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)


class DeploymentOut(DeploymentFacts):
    """The deployment as a document, and what only the studio can know."""

    def to_representation(self, instance: OnlineDeployment) -> dict[str, Any]:
        revision = selectors.shown_revision(self.context["user"], instance)
        known = {"id": f"/onlineEndpoints/{instance.endpoint.name}/deployments/{instance.name}"}
        return {**known, **services.document_of(revision), **super().to_representation(instance)}


class DeploymentDetail(DeploymentOut):
    """A deployment with its instances, and the last of those that failed."""

    instances = InstanceOut(many=True, source="instances_now")
    recent_failures = FailedInstanceOut(many=True)

    def to_representation(self, instance: OnlineDeployment) -> dict[str, Any]:
        user: User = self.context["user"]
        instance.instances_now = selectors.instances_of(user, instance)  # type: ignore[attr-defined]
        instance.recent_failures = selectors.recent_failures(user, instance)  # type: ignore[attr-defined]
        return super().to_representation(instance)


class _WithDocument(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """In the OpenAPI document too, these are the user's document and more."""

    target_class = DeploymentOut
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        facts = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {"allOf": [schema_of(OnlineDeploymentDocument), facts]}


class Deployments(Door):
    @extend_schema(operation_id="online_deployments_list", responses=DeploymentOut(many=True))
    def get(self, request: Request, endpoint: str) -> Response:
        """The endpoint's deployments, in order of creation."""
        rows = selectors.deployments_of(self.user, endpoint)
        return self.listed(rows, DeploymentOut, user=self.user)

    @extend_schema(
        operation_id="online_deployments_create",
        parameters=[
            OpenApiParameter("all_traffic", bool, description="Give it all traffic once it is ready."),
            SKIP_SCRIPT_VALIDATION,
        ],
        request=documents(OnlineDeploymentDocument),
        responses=CHANGE,
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Create a deployment; files are named as completed uploads."""
        wanted = OnlineDeploymentDocument.read(document(request))
        _require_same_endpoint(wanted, endpoint)
        return accepted(
            services.create_deployment(
                self.user,
                document=wanted,
                all_traffic=self.flag("all_traffic"),
                skip_script_validation=self.flag("skip_script_validation"),
            )
        )


def _require_same_endpoint(wanted: OnlineDeploymentDocument, endpoint: str) -> None:
    if wanted.endpoint_name.lower() != endpoint.lower():
        message = f"The document names the endpoint {wanted.endpoint_name!r}, the address {endpoint!r}."
        raise Invalid(f"endpoint_name: {message}", details=[FieldError("endpoint_name", message)])


class DeploymentDoor(Door):
    @extend_schema(operation_id="online_deployments_show", responses=DeploymentDetail)
    def get(self, request: Request, endpoint: str, deployment: str) -> Response:
        """One deployment with its instances."""
        row = selectors.get_deployment(self.user, endpoint, deployment)
        return Response(DeploymentDetail(row, context={"user": self.user}).data)

    @extend_schema(
        operation_id="online_deployments_replace",
        parameters=[SKIP_SCRIPT_VALIDATION],
        request=documents(OnlineDeploymentDocument),
        responses=CHANGE,
    )
    def put(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Make the deployment what the document says; only what differs changes."""
        wanted = OnlineDeploymentDocument.read(document(request))
        _require_same_endpoint(wanted, endpoint)
        require_same_name(wanted.name, deployment)
        return self._update(endpoint, deployment, wanted)

    @extend_schema(
        operation_id="online_deployments_update",
        parameters=[SKIP_SCRIPT_VALIDATION],
        request=documents(OnlineDeploymentDocument, is_partial=True),
        responses=CHANGE,
    )
    def patch(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Change the keys given; null returns one to its default."""
        return self._update(endpoint, deployment, values(request))

    def _update(self, endpoint: str, deployment: str, wanted: Any) -> Response:
        return accepted(
            services.update_deployment(
                self.user,
                endpoint=endpoint,
                name=deployment,
                document=wanted,
                skip_script_validation=self.flag("skip_script_validation"),
            )
        )

    @extend_schema(operation_id="online_deployments_delete", responses=CHANGE)
    def delete(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Delete a deployment that has no traffic."""
        return accepted(services.delete_deployment(self.user, endpoint=endpoint, name=deployment))


class DeploymentRetry(Door):
    @extend_schema(operation_id="online_deployments_retry", request=None, responses=CHANGE)
    def post(self, request: Request, endpoint: str, deployment: str) -> Response:
        """Try again what failed, with nothing changed."""
        return accepted(services.retry_deployment(self.user, endpoint=endpoint, name=deployment))


class DeploymentLogs(Door):
    content_negotiation_class = Streams

    @extend_schema(
        operation_id="online_deployments_logs",
        parameters=[
            OpenApiParameter("container", str, enum=["inference-server", "storage-initializer"]),
            OpenApiParameter("instance", str, description="The id of one instance; all when left out."),
            OpenApiParameter("lines", int, description=f"The last so many that match; {DEFAULT_LINES} when left out."),
            OpenApiParameter("since", str, description="ISO 8601; only what was logged then or later."),
            OpenApiParameter("level", str, description="This level and those above it."),
            OpenApiParameter("text", str, description="Only lines that hold this."),
            OpenApiParameter("request_id", str, description="Only lines of this call."),
            FOLLOW,
            DROPPED,
        ],
        responses=LINES,
    )
    def get(self, request: Request, endpoint: str, deployment: str) -> StreamingHttpResponse:
        """Log lines of the instances there are and were, oldest first."""
        query = request.query_params
        row = selectors.get_deployment(self.user, endpoint, deployment)
        sources = selectors.log_sources(
            self.user,
            row,
            instance_id=query.get("instance", ""),
            container=query.get("container") or "inference-server",
        )
        where = LogFilter(
            level=query.get("level", "").upper(),
            text=query.get("text", ""),
            request_id=query.get("request_id", ""),
            since=_moment(query.get("since", "")),
        )
        tailer = Tailer(sources, where=where, lines=_line_count(query.get("lines", "")))
        dropped = selectors.dropped_logs(self.user, row)
        return log_answer(
            request, tailer, is_followed=self.flag("follow"), is_over=lambda: _is_gone(row), dropped=dropped
        )


def _is_gone(row: OnlineDeployment) -> bool:
    return not OnlineDeployment.objects.filter(pk=row.pk).exists()


def _line_count(text: str) -> int:
    if not text:
        return DEFAULT_LINES
    if not text.isdecimal() or not 0 < int(text[:9]) <= MAX_LINES:
        message = f"{text[:40]!r} is not a number from 1 to {MAX_LINES}."
        raise Invalid(f"lines: {message}", details=[FieldError("lines", message)])
    return int(text)


def _moment(text: str) -> Any:
    try:
        moment = parse_datetime(text) if text else None
    except ValueError:
        moment = None
    if text and (moment is None or moment.tzinfo is None):
        message = f"{text[:40]!r} is not a time such as 2026-01-31T12:00:00Z."
        raise Invalid(f"since: {message}", details=[FieldError("since", message)])
    return moment
