"""API tokens: made once and shown once, kept as digests (django-rest-knox). It decides no permission."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.models import get_digest_token
from knox.settings import CONSTANTS
from rest_framework.exceptions import AuthenticationFailed

from endpoints.spec.errors import FieldError, Invalid, NotFound
from studio.access import audit
from studio.access.models import ApiToken, User

MAX_NAME_LENGTH = 64
TOKEN_KEY_LENGTH: int = CONSTANTS.TOKEN_KEY_LENGTH


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]  # knox has no types
    """Knox's check of `Authorization: Bearer …`; a header that is no text is a wrong token, not a crash."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        if not token.isascii():
            raise AuthenticationFailed("Invalid token.")
        user, row = super().authenticate_credentials(token)
        return user, row


def create_token(user: User, *, name: str, lifetime: timedelta | None = None) -> tuple[ApiToken, str]:
    """A new token of `user` and its secret, which nobody can read again. `lifetime` None: until revoked."""
    name = name.strip()
    if not name or len(name) > MAX_NAME_LENGTH:
        raise Invalid(
            "The token needs a name.",
            details=[FieldError("name", f"Say what the token is for, in 1 to {MAX_NAME_LENGTH} characters.")],
        )
    if lifetime is not None and lifetime <= timedelta(0):
        raise Invalid(
            "The token's lifetime is not positive.",
            details=[FieldError("expires_in_days", "Use a number of days of at least 1, or leave it out.")],
        )
    digest, secret = get_digest_token()
    expiry = timezone.now() + lifetime if lifetime is not None else None
    row = ApiToken.objects.create(
        digest=digest, token_key=secret[:TOKEN_KEY_LENGTH], user=user, name=name, expiry=expiry
    )
    audit.record(user, audit.TOKEN_MADE, target=f"token {row.token_key}", summary=f"Make the API token {name!r}")
    return row, secret


def tokens_of(user: User, *, now: datetime | None = None) -> QuerySet[ApiToken]:
    """The tokens of `user` that still work, newest first."""
    moment = now or timezone.now()
    return ApiToken.objects.filter(user=user).exclude(expiry__lte=moment).order_by("-created")


def revoke_token(user: User, *, token_key: str) -> None:
    """End one of the user's own tokens, named by its public beginning."""
    deleted, _ = ApiToken.objects.filter(user=user, token_key=token_key).delete()
    if not deleted:
        raise NotFound(f"You have no token that begins with {token_key!r}.")
    audit.record(user, audit.TOKEN_REVOKED, target=f"token {token_key}", summary="Revoke the API token")
