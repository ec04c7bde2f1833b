"""/api/v1/me and /api/v1/tokens: who is asking, and the tokens of that person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.bodies import values
from endpoints.api.doors import Door, created, nothing, read_body
from studio.access import actions, tokens
from studio.access.models import ApiToken
from studio.access.policy import grants_of


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes `Authorization: Bearer …`."""

    target_class = "studio.access.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token made under /api/v1/tokens."}


class GrantOut(serializers.Serializer[Any]):
    role = serializers.CharField()
    endpoint = serializers.CharField(allow_blank=True, help_text="Empty for the whole workspace.")


class MeOut(serializers.Serializer[Any]):
    """Who is asking, and what they may do in the workspace as a whole."""

    username = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    is_owner = serializers.BooleanField()
    roles = GrantOut(many=True)
    actions = serializers.ListField(child=serializers.CharField())


class TokenOut(serializers.Serializer[ApiToken]):
    token_key = serializers.CharField(help_text="The token's public beginning.")
    name = serializers.CharField()
    created = serializers.DateTimeField()
    expiry = serializers.DateTimeField(allow_null=True)


class NewTokenOut(TokenOut):
    token = serializers.CharField(help_text="Shown this once.")


class TokenIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=tokens.MAX_NAME_LENGTH)
    expires_in_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=3650)


class Me(Door):
    @extend_schema(operation_id="me", responses=MeOut)
    def get(self, request: Request) -> Response:
        """Who you are here."""
        grants = grants_of(self.user)
        who = {
            "username": self.user.username,
            "email": self.user.email,
            "is_owner": self.user.is_superuser,
            "roles": [{"role": grant.role, "endpoint": grant.endpoint} for grant in grants.items],
            "actions": [action for action in actions.ALL if grants.allows(action)],
        }
        return Response(MeOut(who).data)


class Tokens(Door):
    @extend_schema(operation_id="tokens_list", responses=TokenOut(many=True))
    def get(self, request: Request) -> Response:
        """Your tokens that still work."""
        return self.listed(tokens.tokens_of(self.user), TokenOut)

    @extend_schema(operation_id="tokens_create", request=TokenIn, responses={201: NewTokenOut})
    def post(self, request: Request) -> Response:
        """Make a token for a program. Its secret is shown this once."""
        wanted = read_body(TokenIn, values(request))
        days = wanted.get("expires_in_days")
        row, secret = tokens.create_token(
            self.user, name=wanted["name"], lifetime=timedelta(days=days) if days else None
        )
        return created({**TokenOut(row).data, "token": secret})


class TokenDoor(Door):
    @extend_schema(operation_id="tokens_revoke", responses={204: None})
    def delete(self, request: Request, token_key: str) -> Response:
        """End one of your tokens at once."""
        tokens.revoke_token(self.user, token_key=token_key)
        return nothing()
