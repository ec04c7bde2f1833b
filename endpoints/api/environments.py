"""/api/v1/environments: the registry of environments and their builds."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import document, values
from endpoints.api.doors import Door, created, many, read_body
from endpoints.api.models import INCLUDE_ARCHIVED, AssetChange
from endpoints.api.schemas import documents
from endpoints.api.streaming import JSON_LINES, TEXT, Streams, log_answer
from endpoints.models import EnvironmentBuild, EnvironmentVersion
from endpoints.spec.documents import EnvironmentDocument
from endpoints.telemetry.logs import Tailer
from studio.access.models import User

FOLLOW = OpenApiParameter("follow", bool, description="Go on with new lines as they come.")
LINES = {(200, TEXT): OpenApiTypes.STR, (200, JSON_LINES): OpenApiTypes.STR}
_UNDER_WAY = {"Queued", "Building"}


class BuildOut(serializers.Serializer[EnvironmentBuild]):
    """What an environment's content was built into."""

    key = serializers.CharField()
    target = serializers.CharField()
    state = serializers.CharField()
    python_requested = serializers.CharField()
    python_used = serializers.CharField()
    base_images = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())
    failure = serializers.JSONField(allow_null=True)
    size_bytes = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class EnvironmentOut(serializers.Serializer[EnvironmentVersion]):
    """One version of an environment."""

    id = serializers.CharField(source="reference")
    name = serializers.CharField(source="environment.name")
    version = serializers.CharField()
    image = serializers.CharField()
    conda_file = serializers.CharField(source="conda_text")
    requirements_file = serializers.CharField(source="requirements")
    inference_config = serializers.JSONField(allow_null=True)
    os_type = serializers.CharField()
    description = serializers.CharField()
    tags = serializers.DictField(child=serializers.CharField())
    properties = serializers.DictField(child=serializers.CharField())
    build_key = serializers.CharField()
    build_state = serializers.CharField(default=None, allow_null=True)
    is_anonymous = serializers.BooleanField()
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)


class EnvironmentDetail(EnvironmentOut):
    """One version and its build."""

    build = serializers.SerializerMethodField()

    @extend_schema_field(BuildOut(allow_null=True))
    def get_build(self, row: EnvironmentVersion) -> Any:
        build = selectors.build_of(self.context["user"], row)
        return BuildOut(build).data if build else None


def _detail(user: User, row: EnvironmentVersion) -> Any:
    return EnvironmentDetail(row, context={"user": user}).data


class Environments(Door):
    @extend_schema(operation_id="environments_list", parameters=[INCLUDE_ARCHIVED], responses=EnvironmentOut(many=True))
    def get(self, request: Request) -> Response:
        """The newest version of every environment."""
        rows = selectors.environments_for(self.user, include_archived=self.flag("include_archived"))
        return self.listed(rows, EnvironmentOut)

    @extend_schema(
        operation_id="environments_register",
        request=documents(EnvironmentDocument),
        responses={201: EnvironmentDetail},
    )
    def post(self, request: Request) -> Response:
        """Register an environment; the texts of its files stand in the document."""
        wanted = EnvironmentDocument.read(document(request))
        return created(_detail(self.user, services.register_environment_document(self.user, document=wanted)))


class EnvironmentVersions(Door):
    @extend_schema(
        operation_id="environments_list_versions", parameters=[INCLUDE_ARCHIVED], responses=EnvironmentOut(many=True)
    )
    def get(self, request: Request, name: str) -> Response:
        """All versions of one environment, newest first."""
        rows = selectors.environment_versions(self.user, name, include_archived=self.flag("include_archived"))
        return self.listed(rows, EnvironmentOut)


class EnvironmentVersionDoor(Door):
    @extend_schema(operation_id="environments_show", responses=EnvironmentDetail)
    def get(self, request: Request, name: str, version: str) -> Response:
        """One version with its build; `latest` is the newest that is not archived."""
        return Response(_detail(self.user, selectors.get_environment_version(self.user, name, version)))

    @extend_schema(operation_id="environments_update", request=AssetChange, responses=EnvironmentDetail)
    def patch(self, request: Request, name: str, version: str) -> Response:
        """Change description or tags."""
        changes = read_body(AssetChange, values(request))
        row = services.update_environment(self.user, name=name, version=version, **changes)
        return Response(_detail(self.user, row))


class EnvironmentArchive(Door):
    @extend_schema(request=None, responses=EnvironmentOut(many=True))
    def post(self, request: Request, name: str, version: str = "") -> Response:
        """Hide a version, or all of them, from lists and `@latest`."""
        return many(EnvironmentOut, services.archive_environment(self.user, name=name, version=version))


class EnvironmentRestore(Door):
    @extend_schema(request=None, responses=EnvironmentOut(many=True))
    def post(self, request: Request, name: str, version: str = "") -> Response:
        """Bring an archived version, or all of them, back."""
        return many(EnvironmentOut, services.restore_environment(self.user, name=name, version=version))


class EnvironmentBuildDoor(Door):
    @extend_schema(operation_id="environments_build", request=None, responses={202: BuildOut})
    def post(self, request: Request, name: str, version: str) -> Response:
        """Build the content now rather than when a deployment first needs it."""
        build = services.request_build(self.user, name=name, version=version)
        return Response(BuildOut(build).data, status=status.HTTP_202_ACCEPTED)


class EnvironmentBuildLog(Door):
    content_negotiation_class = Streams

    @extend_schema(operation_id="environments_build_log", parameters=[FOLLOW], responses=LINES)
    def get(self, request: Request, name: str, version: str) -> StreamingHttpResponse:
        """The build's log; followed until the build is over."""
        row = selectors.get_environment_version(self.user, name, version)
        tailer = Tailer(selectors.build_log_sources(self.user, row))
        user = self.user

        def is_over() -> bool:
            build = selectors.build_of(user, row)
            return build is None or build.state not in _UNDER_WAY

        return log_answer(request, tailer, is_followed=self.flag("follow"), is_over=is_over)
