"""/api/v1/online-endpoints: endpoints, their credentials, their split, and calling them."""

from __future__ import annotations

import base64
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import selectors, services
from endpoints.api.bodies import document, values
from endpoints.api.doors import Door, read_body
from endpoints.api.operations import CHANGE, accepted
from endpoints.api.schemas import documents
from endpoints.models import OnlineEndpoint
from endpoints.services.invoke import DEPLOYMENT_HEADER, InvokeResult
from endpoints.spec.documents import OnlineEndpointDocument
from endpoints.spec.errors import FieldError, Invalid, LimitExceeded
from endpoints.spec.routes import MAX_PAYLOAD_BYTES


class EndpointOut(serializers.Serializer[OnlineEndpoint]):
    """An endpoint as a document, with what only the studio can know."""

    name = serializers.CharField()
    description = serializers.CharField()
    tags = serializers.DictField(child=serializers.CharField())
    properties = serializers.DictField(child=serializers.CharField())
    auth_mode = serializers.CharField()
    traffic = serializers.DictField(child=serializers.IntegerField())
    mirror_traffic = serializers.DictField(child=serializers.IntegerField())
    comparison = serializers.DictField(
        allow_null=True,
        help_text="How a shadow's answers are compared: what differs from the defaults. null: not at all.",
    )
    public_network_access = serializers.CharField()
    gateway_settings = serializers.DictField(help_text="Those that differ from their defaults.")
    kind = serializers.SerializerMethodField()
    location = serializers.SerializerMethodField()
    provisioning_state = serializers.CharField()
    scoring_uri = serializers.SerializerMethodField()
    openapi_uri = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    def get_kind(self, row: OnlineEndpoint) -> str:
        return "Kubernetes" if row.compute else "Managed"

    def get_location(self, row: OnlineEndpoint) -> str:
        return str(settings.SLIPWAY_WORKSPACE)

    def get_scoring_uri(self, row: OnlineEndpoint) -> str:
        return selectors.scoring_uri(row)

    def get_openapi_uri(self, row: OnlineEndpoint) -> str:
        return selectors.openapi_uri(row)


class SplitIn(serializers.Serializer[Any]):
    """Percent by deployment, 0 or 100 in all; at most one mirrored to."""

    traffic = serializers.DictField(child=serializers.IntegerField())
    mirror_traffic = serializers.DictField(child=serializers.IntegerField(), required=False)


class KeyTypeIn(serializers.Serializer[Any]):
    key_type = serializers.ChoiceField(choices=["primary", "secondary"], default="primary")


class CredentialsOut(serializers.Serializer[Any]):
    """`auth_mode: key` has the two keys, `aml_token` a token with its times in seconds since 1970."""

    primaryKey = serializers.CharField(required=False)  # noqa: N815  # Azure's spelling
    secondaryKey = serializers.CharField(required=False)  # noqa: N815
    accessToken = serializers.CharField(required=False)  # noqa: N815
    expiryTimeUtc = serializers.IntegerField(required=False)  # noqa: N815
    refreshAfterTimeUtc = serializers.IntegerField(required=False)  # noqa: N815
    tokenType = serializers.CharField(required=False)  # noqa: N815


class InvokeOut(serializers.Serializer[Any]):
    """The endpoint's answer. `body` is text; `body_encoding` is base64 where it was none."""

    status = serializers.IntegerField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()
    body_encoding = serializers.CharField()
    seconds = serializers.FloatField()
    deployment = serializers.CharField()
    request_id = serializers.CharField()


class Endpoints(Door):
    @extend_schema(operation_id="online_endpoints_list", responses=EndpointOut(many=True))
    def get(self, request: Request) -> Response:
        """The endpoints you may read, by name."""
        return self.listed(selectors.endpoints_for(self.user), EndpointOut)

    @extend_schema(operation_id="online_endpoints_create", request=documents(OnlineEndpointDocument), responses=CHANGE)
    def post(self, request: Request) -> Response:
        """Create an endpoint; one of that name must not exist."""
        return accepted(services.create_endpoint(self.user, document=OnlineEndpointDocument.read(document(request))))


class EndpointDoor(Door):
    @extend_schema(operation_id="online_endpoints_show", responses=EndpointOut)
    def get(self, request: Request, endpoint: str) -> Response:
        """One endpoint."""
        return Response(EndpointOut(selectors.get_endpoint(self.user, endpoint)).data)

    @extend_schema(operation_id="online_endpoints_put", request=documents(OnlineEndpointDocument), responses=CHANGE)
    def put(self, request: Request, endpoint: str) -> Response:
        """Create the endpoint, or make the one there is what the document says."""
        wanted = OnlineEndpointDocument.read(document(request))
        require_same_name(wanted.name, endpoint)
        return accepted(services.create_endpoint(self.user, document=wanted, overwrite=True))

    @extend_schema(
        operation_id="online_endpoints_update",
        request=documents(OnlineEndpointDocument, is_partial=True),
        responses=CHANGE,
    )
    def patch(self, request: Request, endpoint: str) -> Response:
        """Change the keys given; null returns one to its default."""
        return accepted(services.update_endpoint(self.user, name=endpoint, changes=values(request)))

    @extend_schema(operation_id="online_endpoints_delete", responses=CHANGE)
    def delete(self, request: Request, endpoint: str) -> Response:
        """Delete the endpoint and all its deployments."""
        return accepted(services.delete_endpoint(self.user, name=endpoint))


def require_same_name(written: str, addressed: str) -> None:
    """The document and the address speak of the same thing."""
    if written.lower() != addressed.lower():
        message = f"The document names {written!r}, the address {addressed!r}."
        raise Invalid(f"name: {message}", details=[FieldError("name", message)])


class EndpointTraffic(Door):
    @extend_schema(operation_id="online_endpoints_set_traffic", request=SplitIn, responses=CHANGE)
    def put(self, request: Request, endpoint: str) -> Response:
        """Replace the split of traffic, and the mirroring where it is given."""
        split = read_body(SplitIn, values(request))
        return accepted(services.set_traffic(self.user, name=endpoint, **split))


class EndpointKeysDoor(Door):
    @extend_schema(operation_id="online_endpoints_get_credentials", responses=CredentialsOut)
    def get(self, request: Request, endpoint: str) -> Response:
        """The endpoint's keys, or a token for it, as its auth_mode says."""
        return _secret(services.get_credentials(self.user, name=endpoint))


class EndpointToken(Door):
    @extend_schema(operation_id="online_endpoints_get_token", request=None, responses=CredentialsOut)
    def post(self, request: Request, endpoint: str) -> Response:
        """A fresh token for an endpoint with auth_mode aml_token."""
        return _secret(services.get_token(self.user, name=endpoint))


class EndpointRegenerateKeys(Door):
    @extend_schema(operation_id="online_endpoints_regenerate_keys", request=KeyTypeIn, responses=CredentialsOut)
    def post(self, request: Request, endpoint: str) -> Response:
        """Replace one key; the other goes on working."""
        options = read_body(KeyTypeIn, values(request))
        return _secret(services.regenerate_key(self.user, name=endpoint, **options))


def _secret(credentials: services.Credentials) -> Response:
    return Response(credentials.to_json(), headers={"Cache-Control": "no-store"})


class EndpointInvoke(Door):
    @extend_schema(
        operation_id="online_endpoints_invoke",
        parameters=[
            OpenApiParameter(
                DEPLOYMENT_HEADER,
                str,
                OpenApiParameter.HEADER,
                description="Ask this deployment, whatever its traffic.",
            )
        ],
        request={"application/json": OpenApiTypes.OBJECT, "application/octet-stream": OpenApiTypes.BINARY},
        responses=InvokeOut,
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Call the endpoint through the gateway; the body goes on as it is, and every answer is a 200 here."""
        body = request._request.read(MAX_PAYLOAD_BYTES + 1)
        if len(body) > MAX_PAYLOAD_BYTES:
            raise LimitExceeded(f"A request may have {MAX_PAYLOAD_BYTES:,} bytes.")
        result = services.invoke(
            self.user,
            endpoint=endpoint,
            deployment=request.headers.get(DEPLOYMENT_HEADER),
            body=body,
            content_type=request.content_type or "application/json",
        )
        return Response(InvokeOut(_invoked(result)).data)


def _invoked(result: InvokeResult) -> dict[str, Any]:
    try:
        text, encoding = result.body.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(result.body).decode(), "base64"
    return {
        "status": result.status,
        "headers": result.headers,
        "body": text,
        "body_encoding": encoding,
        "seconds": result.seconds,
        "deployment": result.deployment,
        "request_id": result.request_id,
    }
