"""The route table: all the gateway knows. Published whole with a version, never edited in place.

Written by `endpoints.control.routes`, read by `endpoints.gateway`. It carries digests and public keys only.
JSON on the wire and on disk; unknown fields are ignored so that an older gateway reads a newer table.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

CHANNEL = "slipway:routes"  # the Redis key that holds the newest table, and the channel that tells of a new one
MAX_PAYLOAD_BYTES = 100 * 1024 * 1024  # contract B23
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]  # what a float holds exactly: the gateway reckons with floats


class InstanceRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One ready instance. `id` is the instance's name, as logs and metrics use it."""

    id: str
    host: str
    port: Count


class HoldRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Requests held while a deployment that sleeps wakes up: how many, of how many bytes together, for how long."""

    requests: Count = 200
    bytes: Count = 32 * 1024 * 1024
    timeout_ms: Count = 120_000


class DeploymentRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment and its ready instances (none: 503 for it). Limits as in contract B5.

    stopped: why it is, or ""; hold: it may sleep, and requests wake it; trouble: why it cannot be woken, in a sentence,
    "" while it can.
    """

    name: str
    instances: tuple[InstanceRoute, ...] = ()
    max_concurrent_requests_per_instance: Count = 1
    request_timeout_ms: Count = 5000
    max_queue_wait_ms: Count = 500
    is_retry_allowed: bool = True
    scoring_path: str = "/score"
    revision: Count = 0
    stopped: str = ""
    hold: HoldRules | None = None
    trouble: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Which mirrored requests have both their answers kept: a share of them, and so many a second at most."""

    sample_percent: Count
    max_per_second: Count
    keeps_requests: bool


class Mirror(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A copy of `percent` (1 to 100) of live requests goes to `deployment`."""

    deployment: str
    percent: Count
    comparison: Comparison | None = None


class StickyKey(msgspec.Struct, frozen=True, kw_only=True):
    """Where the value that pins a caller to one deployment is found."""

    kind: Literal["header", "json"]
    name: str


class TokenRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How `aml_token` and `aad_token` bearers are checked.

    issuer, audience: required claims. public_keys: PEM public keys by key id (aml_token).
    jwks_uri: where an OIDC issuer's keys are (aad_token). required_role: claim `roles` must hold it, "" for none.
    """

    issuer: str
    audience: str
    public_keys: dict[str, str] = {}
    jwks_uri: str = ""
    required_role: str = ""


class EndpointRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One endpoint. `key_digests`: lower-case hex SHA-256 of each accepted key. `traffic`: 0 or 100 in all."""

    name: str
    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    key_digests: tuple[str, ...] = ()
    token: TokenRules | None = None
    traffic: dict[str, Count] = {}
    mirror: Mirror | None = None
    sticky: StickyKey | None = None
    deployments: dict[str, DeploymentRoute] = {}
    cors_origins: tuple[str, ...] = ()
    max_payload_bytes: Count = MAX_PAYLOAD_BYTES
    requests_per_second: Count = 0  # 0: no limit
    bytes_per_second: Count = 0  # of requests and answers together; 0: no limit


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of clients' connections at all processes of a gateway together; 0: no limit."""

    active: Count = 0
    new_per_second: Count = 0


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `version` grows with every publication; `domain` serves `<endpoint>.<domain>` too."""

    version: Count
    endpoints: dict[str, EndpointRoute]
    domain: str = ""
    connections: ConnectionLimits = ConnectionLimits()
