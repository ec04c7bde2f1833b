"""Who may call an endpoint: keys by digest, tokens by signature.

A secret stays in memory no longer than the request, or the connection repeating it, that carries it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, Protocol

from endpoints.gateway.errors import unauthorized

_NO_CREDENTIAL: Final = (
    "No credential was given. Send 'Authorization: Bearer <key or token>'; get one with "
    "'slipway online-endpoint get-credentials'."
)


class Authenticator(Protocol):
    """Checks the Authorization header of an endpoint's requests."""

    def check(self, authorization: bytes) -> float:
        """Until when (Unix seconds, inf for no end) the credential holds. Raises Refusal, or KeysMissing."""


class KeysMissing(Exception):
    """The issuer's keys must be fetched first; `fetch` does it, then the check is to be repeated once."""

    def __init__(self, fetch: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.fetch = fetch


def bearer(authorization: bytes) -> bytes:
    """The credential of `Bearer <credential>`. Raises Refusal."""
    if not authorization:
        raise unauthorized(_NO_CREDENTIAL)
    scheme, _, credential = authorization.partition(b" ")
    credential = credential.strip(b" \t")
    if scheme.lower() != b"bearer" or not credential:
        raise unauthorized("The Authorization header must read 'Bearer <key or token>'.")
    return credential


class KeyAuthenticator:
    """Primary and secondary key, known by their SHA-256 alone."""

    __slots__ = ("_digests",)

    def __init__(self, digests: tuple[str, ...]) -> None:
        self._digests = tuple(bytes.fromhex(digest) for digest in digests)

    def check(self, authorization: bytes) -> float:
        """Compares with every digest, whichever fits, so that time tells nothing."""
        digest = hashlib.sha256(bearer(authorization)).digest()
        is_known = False
        for known in self._digests:
            is_known |= hmac.compare_digest(digest, known)
        if not is_known:
            raise unauthorized("The key is not one of this endpoint's keys. It may have been regenerated.")
        return inf
