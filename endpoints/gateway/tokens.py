"""Bearer tokens: `aml_token`, signed by the studio, and `aad_token`, signed by an OIDC issuer."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jwt

from endpoints.gateway.auth import KeysMissing, bearer
from endpoints.gateway.errors import unauthorized
from endpoints.gateway.jwks import KeySet
from endpoints.spec.routes import TokenRules

logger = logging.getLogger(__name__)

LEEWAY_SECONDS = 30
MAX_REMEMBERED = 4096
MAX_TOKEN_BYTES = 16 * 1024
_STUDIO_ALGORITHMS = ["EdDSA"]
# Signatures by public key only: a shared-secret algorithm would let anyone sign with the public key's text.
_ISSUER_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class TokenAuthenticator:
    """Checks one endpoint's tokens. `key_set`: the issuer's, for aad_token; None for aml_token."""

    def __init__(self, rules: TokenRules | None, *, key_set: KeySet | None, wall_clock: Callable[[], float]) -> None:
        self._rules = rules
        self._key_set = key_set
        self._wall_clock = wall_clock
        self._studio_keys = _load(rules.public_keys) if rules else {}
        # Digests of tokens whose signature was found good, with their end: a signature costs 100 times a digest.
        self._good_until: OrderedDict[bytes, float] = OrderedDict()

    def check(self, authorization: bytes) -> float:
        """See Authenticator."""
        token = bearer(authorization)
        if self._rules is None or len(token) > MAX_TOKEN_BYTES:
            raise unauthorized("The endpoint accepts no token of this kind.")
        digest = hashlib.sha256(token).digest()
        until = self._good_until.get(digest)
        if until is None:
            until = self._verify(token, self._rules)
            self._good_until[digest] = until
            if len(self._good_until) > MAX_REMEMBERED:
                self._good_until.popitem(last=False)
        if until < self._wall_clock():
            raise unauthorized("The token has expired. Get a new one.")
        return until

    def _verify(self, token: bytes, rules: TokenRules) -> float:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(key_id),
                algorithms=_STUDIO_ALGORITHMS if self._key_set is None else _ISSUER_ALGORITHMS,
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise unauthorized("The token has expired. Get a new one.") from None
        except jwt.InvalidAudienceError:
            raise unauthorized(f"The token is for another audience than '{rules.audience}'.") from None
        except jwt.InvalidIssuerError:
            raise unauthorized(f"The token is not from the issuer '{rules.issuer}'.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise unauthorized("The token is malformed, or its signature is not valid.") from None
        if rules.required_role and rules.required_role not in _roles(claims):
            raise unauthorized(f"The token does not carry the role '{rules.required_role}'.")
        return float(claims["exp"]) + LEEWAY_SECONDS

    def _key(self, key_id: str) -> Any:
        """The public key that `key_id` names. Raises Refusal, or KeysMissing."""
        if self._key_set is None:
            if key_id in self._studio_keys:
                return self._studio_keys[key_id]
            raise unauthorized("The token is not signed with one of the studio's keys.")
        key = self._key_set.find(key_id)
        if self._key_set.may_fetch:
            if key is None:
                raise KeysMissing(self._key_set.fetch)
            if self._key_set.is_stale:
                self._key_set.refresh()  # beside the request: what was good an hour ago serves this one
        if key is None:
            raise unauthorized("The token is not signed with one of the issuer's keys.")
        return key


def _roles(claims: dict[str, Any]) -> list[str]:
    roles = claims.get("roles", [])
    return [roles] if isinstance(roles, str) else [role for role in roles if isinstance(role, str)]


def _load(pems: dict[str, str]) -> dict[str, Any]:
    """Public keys by id; one that cannot be read is left out and logged, so that the others go on working."""
    algorithm = jwt.get_algorithm_by_name("EdDSA")
    keys: dict[str, Any] = {}
    for key_id, pem in pems.items():
        try:
            keys[key_id] = algorithm.prepare_key(pem)
        except (jwt.PyJWTError, ValueError, TypeError):
            logger.error("the public key %s of the route table cannot be read", key_id)
    return keys
