"""Keys and tokens with which endpoints are called. Secrets leave this room only towards those who may have them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from endpoints.control import routes
from endpoints.models import EndpointKeys, OnlineEndpoint, TokenSigningKey
from endpoints.selectors import authorised_endpoint
from endpoints.services.sealing import digest, seal, unseal
from endpoints.spec import tokens
from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

KeyType = Literal["primary", "secondary"]
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """Both keys of an endpoint with `auth_mode: key`."""

    primary: str
    secondary: str

    def to_json(self) -> dict[str, str | int]:
        """The shape of contract B11."""
        return {"primaryKey": self.primary, "secondaryKey": self.secondary}


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer for an endpoint with `auth_mode: aml_token`. Times are seconds since 1970, UTC."""

    access_token: str
    expires_at: int
    refresh_after: int

    def to_json(self) -> dict[str, str | int]:
        """The shape of contract B11."""
        return {
            "accessToken": self.access_token,
            "expiryTimeUtc": self.expires_at,
            "refreshAfterTimeUtc": self.refresh_after,
            "tokenType": "Bearer",
        }


Credentials = Keys | Token


def make_keys(endpoint: OnlineEndpoint) -> EndpointKeys:
    """Give a new endpoint its two keys."""
    keys = EndpointKeys(endpoint=endpoint)
    for which in ("primary", "secondary"):
        _set_key(keys, which)
    keys.save()
    return keys


def _set_key(keys: EndpointKeys, which: str) -> None:
    key = secrets.token_urlsafe(KEY_BYTES)
    setattr(keys, f"{which}_secret", seal(key.encode()))
    setattr(keys, f"{which}_digest", digest(key))


def get_credentials(actor: User, *, name: str) -> Credentials:
    """What the endpoint is called with: its keys, or a fresh token, as its `auth_mode` says."""
    endpoint = _endpoint_for_credentials(actor, name)
    if endpoint.auth_mode == "key":
        require(actor, actions.LIST_KEYS, endpoint.name)
        _record(actor, actions.LIST_KEYS, endpoint, "Show both keys")
        return _keys_of(endpoint)
    if endpoint.auth_mode == "aml_token":
        require(actor, actions.TOKEN, endpoint.name)
        return issue_token(actor, endpoint)
    raise Conflict(
        f"The endpoint {endpoint.name!r} takes tokens of your identity provider (auth_mode aad_token): "
        "sign in there for a token; the studio issues none."
    )


def get_token(actor: User, *, name: str) -> Token:
    """A fresh token for an endpoint with `auth_mode: aml_token`."""
    endpoint = authorised_endpoint(actor, name, actions.TOKEN)
    if endpoint.auth_mode != "aml_token":
        raise Conflict(f"The endpoint {endpoint.name!r} takes no tokens of the studio: auth_mode {endpoint.auth_mode}.")
    return issue_token(actor, endpoint)


def _endpoint_for_credentials(actor: User, name: str) -> OnlineEndpoint:
    """Whoever may read the endpoint, list its keys or fetch its tokens may learn that it exists."""
    for action in (actions.ENDPOINTS_READ, actions.LIST_KEYS):
        try:
            return authorised_endpoint(actor, name, action)
        except NotFound:
            continue
    return authorised_endpoint(actor, name, actions.TOKEN)


def _keys_of(endpoint: OnlineEndpoint) -> Keys:
    keys = EndpointKeys.objects.get(endpoint=endpoint)
    return Keys(unseal(keys.primary_secret).decode(), unseal(keys.secondary_secret).decode())


def regenerate_key(actor: User, *, name: str, key_type: KeyType = "primary") -> Keys:
    """Replace one of the two keys; the other goes on working. Gateways know within a second."""
    endpoint = authorised_endpoint(actor, name, actions.REGENERATE_KEYS)
    if key_type not in ("primary", "secondary"):
        message = f"{key_type!r} is neither primary nor secondary."
        raise Invalid(message, details=[FieldError("key_type", message)])
    if endpoint.auth_mode != "key":
        raise Conflict(f"The endpoint {endpoint.name!r} has no keys: its auth_mode is {endpoint.auth_mode}.")
    with transaction.atomic():
        keys = EndpointKeys.objects.select_for_update().get(endpoint=endpoint)
        _set_key(keys, key_type)
        keys.save()
        routes.publish([endpoint.name])
        _record(actor, actions.REGENERATE_KEYS, endpoint, f"Regenerate the {key_type} key")
    return _keys_of(endpoint)


def _record(actor: User, action: str, endpoint: OnlineEndpoint, summary: str) -> None:
    audit.record(actor, action, target=f"endpoint {endpoint.name}", summary=summary)


def issue_token(actor: User, endpoint: OnlineEndpoint) -> Token:
    """A signed token for one endpoint in the name of `actor`; the caller has checked that they may."""
    key = signing_key()
    _record(actor, actions.TOKEN, endpoint, "Issue a token")
    now = int(timezone.now().timestamp())
    expires_at = now + settings.SLIPWAY_TOKEN_LIFETIME_S
    claims = {
        "iss": tokens.ISSUER,
        "aud": tokens.audience(endpoint.name),
        "sub": actor.username,
        "iat": now,
        "nbf": now - 30,  # gateways elsewhere may have clocks of their own
        "exp": expires_at,
    }
    text = jwt.encode(claims, unseal(key.private_secret), algorithm=tokens.ALGORITHM, headers={"kid": key.pk})
    return Token(text, expires_at, now + settings.SLIPWAY_TOKEN_REFRESH_S)


def signing_key() -> TokenSigningKey:
    """The studio's current signing key, made on first use."""
    key = TokenSigningKey.objects.filter(retired_at=None).order_by("created_at", "pk").first()
    if key is None:
        with transaction.atomic():
            key = _make_signing_key()
            routes.publish()  # before its first token is shown, the gateways know it
    return key


def _make_signing_key() -> TokenSigningKey:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return TokenSigningKey.objects.create(id=secrets.token_hex(8), private_secret=seal(pem), public_pem=public.decode())


def retire_signing_key() -> TokenSigningKey:
    """Sign with a new key from now on; tokens of the old one hold until they expire."""
    with transaction.atomic():
        TokenSigningKey.objects.filter(retired_at=None).update(retired_at=timezone.now())
        key = _make_signing_key()
        routes.publish()
    return key
