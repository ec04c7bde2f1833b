"""/api/v1/uploads: files on their way in, sent in parts and completed into the store."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import services
from endpoints.api.bodies import values
from endpoints.api.doors import Door, created, nothing, read_body
from endpoints.models import Upload
from endpoints.spec.errors import FieldError, Invalid


class UploadOut(serializers.Serializer[Upload]):
    """An upload; its digest is set when it is complete."""

    id = serializers.UUIDField()
    purpose = serializers.CharField()
    root_name = serializers.CharField()
    is_folder = serializers.BooleanField()
    received_bytes = serializers.IntegerField()
    tree_digest = serializers.CharField(allow_blank=True)
    size_bytes = serializers.IntegerField()
    file_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class UploadDetail(UploadOut):
    """An upload and the bytes received of each file: where to go on after a broken connection."""

    files = serializers.SerializerMethodField()

    def get_files(self, row: Upload) -> dict[str, int]:
        files: dict[str, int] = self.context["files"]
        return files


class UploadBegin(serializers.Serializer[Any]):
    purpose = serializers.CharField(help_text="model, code or environment-context")
    root_name = serializers.CharField(max_length=255, trim_whitespace=False)
    is_folder = serializers.BooleanField(default=False)


class UploadComplete(serializers.Serializer[Any]):
    unpack = serializers.BooleanField(default=False, help_text="The one file is an archive: store its content.")


class PartOut(serializers.Serializer[Any]):
    size_bytes = serializers.IntegerField(help_text="Of the file so far: the next part's offset.")


class Uploads(Door):
    @extend_schema(operation_id="uploads_begin", request=UploadBegin, responses={201: UploadOut})
    def post(self, request: Request) -> Response:
        """Begin an upload of a file or of a folder."""
        upload = services.begin_upload(self.user, **read_body(UploadBegin, values(request)))
        return created(UploadOut(upload).data)


class UploadDoor(Door):
    @extend_schema(operation_id="uploads_show", responses=UploadDetail)
    def get(self, request: Request, upload_id: UUID) -> Response:
        """How far the upload is."""
        upload = services.get_upload(self.user, upload_id=upload_id)
        files = services.received_files(self.user, upload_id=upload_id)
        return Response(UploadDetail(upload, context={"files": files}).data)

    @extend_schema(operation_id="uploads_abort", responses={204: None})
    def delete(self, request: Request, upload_id: UUID) -> Response:
        """Forget the upload and what was received of it."""
        services.abort_upload(self.user, upload_id=upload_id)
        return nothing()


class UploadFiles(Door):
    @extend_schema(
        operation_id="uploads_send_part",
        parameters=[
            OpenApiParameter("path", str, description="Within the folder; left out for a single file."),
            OpenApiParameter("offset", int, description="Where in the file the part begins; 0 when left out."),
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=PartOut,
    )
    def put(self, request: Request, upload_id: UUID) -> Response:
        """Append a part (at most 16 MiB) to a file. The body goes to disk as it is read."""
        offset = request.query_params.get("offset") or "0"
        if not offset.isdecimal() or len(offset) > 18:
            message = f"{offset[:40]!r} is not a number of bytes."
            raise Invalid(f"offset: {message}", details=[FieldError("offset", message)])
        size = services.append_part(
            self.user,
            upload_id=upload_id,
            path=request.query_params.get("path", ""),
            offset=int(offset),
            stream=request._request,  # the body itself: nothing has read it yet
        )
        return Response(PartOut({"size_bytes": size}).data)


class UploadCompletion(Door):
    @extend_schema(operation_id="uploads_complete", request=UploadComplete, responses=UploadOut)
    def post(self, request: Request, upload_id: UUID) -> Response:
        """Store what was received; the answer carries the tree's digest. Completing twice gives the same."""
        options = read_body(UploadComplete, values(request))
        return Response(UploadOut(services.complete_upload(self.user, upload_id=upload_id, **options)).data)
