"""/api/v1/models: the registry of models."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import document, values
from endpoints.api.doors import Door, created, many, read_body
from endpoints.api.schemas import documents
from endpoints.api.streaming import file_answer
from endpoints.models import ModelVersion
from endpoints.spec.documents import ModelDocument

INCLUDE_ARCHIVED = OpenApiParameter("include_archived", bool, description="List archived ones too.")


class ModelOut(serializers.Serializer[ModelVersion]):
    """One version of a model."""

    id = serializers.CharField(source="reference")
    name = serializers.CharField(source="model.name")
    version = serializers.CharField()
    type = serializers.CharField()
    path = serializers.SerializerMethodField()
    description = serializers.CharField()
    tags = serializers.DictField(child=serializers.CharField())
    properties = serializers.DictField(child=serializers.CharField())
    root_name = serializers.CharField()
    is_folder = serializers.BooleanField()
    size_bytes = serializers.IntegerField()
    file_count = serializers.IntegerField()
    is_anonymous = serializers.BooleanField()
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    def get_path(self, row: ModelVersion) -> str:
        return f"tree:{row.tree_digest}"


class AssetChange(serializers.Serializer[Any]):
    """What may change of a version; everything else is immutable."""

    description = serializers.CharField(required=False, allow_blank=True)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


class Models(Door):
    @extend_schema(operation_id="models_list", parameters=[INCLUDE_ARCHIVED], responses=ModelOut(many=True))
    def get(self, request: Request) -> Response:
        """The newest version of every model."""
        return self.listed(selectors.models_for(self.user, include_archived=self.flag("include_archived")), ModelOut)

    @extend_schema(operation_id="models_register", request=documents(ModelDocument), responses={201: ModelOut})
    def post(self, request: Request) -> Response:
        """Register a completed upload as a model; without a version the next number is taken."""
        row = services.register_model_document(self.user, document=ModelDocument.read(document(request)))
        return created(ModelOut(row).data)


class ModelVersions(Door):
    @extend_schema(operation_id="models_list_versions", parameters=[INCLUDE_ARCHIVED], responses=ModelOut(many=True))
    def get(self, request: Request, name: str) -> Response:
        """All versions of one model, newest first."""
        rows = selectors.model_versions(self.user, name, include_archived=self.flag("include_archived"))
        return self.listed(rows, ModelOut)


class ModelVersionDoor(Door):
    @extend_schema(operation_id="models_show", responses=ModelOut)
    def get(self, request: Request, name: str, version: str) -> Response:
        """One version; `latest` is the newest that is not archived."""
        return Response(ModelOut(selectors.get_model_version(self.user, name, version)).data)

    @extend_schema(operation_id="models_update", request=AssetChange, responses=ModelOut)
    def patch(self, request: Request, name: str, version: str) -> Response:
        """Change description or tags."""
        changes = read_body(AssetChange, values(request))
        return Response(ModelOut(services.update_model(self.user, name=name, version=version, **changes)).data)


class ModelArchive(Door):
    @extend_schema(request=None, responses=ModelOut(many=True))
    def post(self, request: Request, name: str, version: str = "") -> Response:
        """Hide a version, or all of them, from lists and `@latest`."""
        return many(ModelOut, services.archive_model(self.user, name=name, version=version))


class ModelRestore(Door):
    @extend_schema(request=None, responses=ModelOut(many=True))
    def post(self, request: Request, name: str, version: str = "") -> Response:
        """Bring an archived version, or all of them, back."""
        return many(ModelOut, services.restore_model(self.user, name=name, version=version))


class ModelDownload(Door):
    @extend_schema(operation_id="models_download", responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, name: str, version: str) -> StreamingHttpResponse:
        """The files as a zip."""
        return file_answer(services.open_model_archive(self.user, name=name, version=version))
