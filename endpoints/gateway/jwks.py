"""An OIDC issuer's public keys: fetched beside the request path, cached, kept on disk in case it is down."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import jwt
import msgspec

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
PAUSE_SECONDS = 10.0  # between fetches that an unknown key id causes
FETCH_TIMEOUT = 5.0
MAX_BYTES = 1024 * 1024


class KeySet:
    """Keys by id. `source`: the address of the key set, or of an issuer whose discovery document names it."""

    def __init__(
        self,
        *,
        jwks_uri: str,
        issuer: str,
        folder: Path,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._jwks_uri = jwks_uri
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        name = hashlib.sha256(f"{jwks_uri} {issuer}".encode()).hexdigest()[:32]
        self._file = folder / f"{name}.json"
        self._read_file()

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """A key by id; an issuer with a single key may leave ids out."""
        if not key_id and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    @property
    def is_stale(self) -> bool:
        """Old enough to be fetched again when there is occasion."""
        return self._clock() - self._fetched_at > FRESH_SECONDS

    @property
    def may_fetch(self) -> bool:
        """Not tried a moment ago: made-up key ids must not hammer the issuer."""
        return self._fetching is not None or self._clock() - self._tried_at >= PAUSE_SECONDS

    def refresh(self) -> asyncio.Task[None]:
        """Get the keys, once for all who ask meanwhile. A failure is logged and leaves the keys there are."""
        if self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = self._loop.create_task(self._fetch())
            self._fetching.add_done_callback(self._done)
        return self._fetching

    async def fetch(self) -> None:
        """Wait for the keys."""
        await asyncio.shield(self.refresh())

    def _done(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        try:
            async with httpx.AsyncClient(timeout=FETCH_TIMEOUT) as client:
                uri = self._jwks_uri or await self._discover(client)
                answer = (await client.get(uri)).raise_for_status()
                content = answer.content[:MAX_BYTES]
            self._keys = _read(content)
        except (httpx.HTTPError, jwt.PyJWTError, msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
            logger.warning("the keys of issuer %s cannot be fetched: %s", self._issuer, error)
            return
        self._fetched_at = self._clock()
        self._write_file(content)

    async def _discover(self, client: httpx.AsyncClient) -> str:
        address = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = (await client.get(address)).raise_for_status()
        return str(msgspec.json.decode(answer.content)["jwks_uri"])

    def _read_file(self) -> None:
        try:
            self._keys = _read(self._file.read_bytes())
        except (OSError, jwt.PyJWTError, msgspec.DecodeError, LookupError, TypeError, ValueError):
            self._keys = {}

    def _write_file(self, content: bytes) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{id(self):x}")
            draft.write_bytes(content)
            draft.replace(self._file)
        except OSError as error:
            logger.warning("the issuer's keys cannot be kept on disk: %s", error)


def _read(content: bytes) -> dict[str, jwt.PyJWK]:
    """Signature keys of a key set; kinds we cannot use are left out. Raises ValueError and relatives."""
    keys: dict[str, jwt.PyJWK] = {}
    for entry in msgspec.json.decode(content)["keys"]:
        if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        keys[str(entry.get("kid", ""))] = jwt.PyJWK(entry, algorithm=entry.get("alg") or _algorithm(entry))
    return keys


def _algorithm(entry: dict[str, object]) -> str:
    if entry.get("kty") == "RSA":
        return "RS256"
    if entry.get("kty") == "EC":
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(str(entry.get("crv")), "ES256")
    return "EdDSA"
