"""Secrets at rest: encrypted with a key derived from the installation's SECRET_KEY, and digested for checking."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from endpoints.spec.errors import Unavailable

_PURPOSE = b"slipway secrets at rest, 1"


@lru_cache(maxsize=4)
def _fernet(secret_key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def seal(secret: bytes) -> bytes:
    """`secret` so that only this installation reads it."""
    return _fernet(settings.SECRET_KEY).encrypt(secret)


def unseal(sealed: bytes | memoryview) -> bytes:
    """What was sealed. Raises Unavailable where the installation's key is no longer the one that sealed it."""
    try:
        return _fernet(settings.SECRET_KEY).decrypt(bytes(sealed))
    except InvalidToken:
        raise Unavailable(
            "This secret was encrypted with another SLIPWAY_SECRET_KEY. Restore that key, or make a new secret."
        ) from None


def digest(secret: str) -> str:
    """Lower-case hex SHA-256, which is what gateways compare."""
    return hashlib.sha256(secret.encode()).hexdigest()
