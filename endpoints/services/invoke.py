"""Calls an endpoint through the gateway, as any client would, in the name of a person who may score."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpx
from django.conf import settings

from endpoints.models import EndpointKeys, OnlineEndpoint
from endpoints.selectors import authorised_endpoint
from endpoints.services.credentials import issue_token
from endpoints.services.sealing import unseal
from endpoints.spec.errors import Conflict, Unavailable
from studio.access import actions
from studio.access.models import User

DEPLOYMENT_HEADER = "azureml-model-deployment"
REQUEST_ID_HEADER = "x-request-id"
# Longer than any request_timeout_ms: the gateway's 408 arrives before this runs out.
_TIMEOUT_S = 3620.0
# The caller's own; everything else is between us and the gateway.
_REFUSED_HEADERS = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """The answer as it came, whatever its status. `deployment`: who answered, "" where nobody did."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float
    deployment: str
    request_id: str


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    # The gateway is ours: no proxy of the environment stands between.
    return httpx.Client(timeout=httpx.Timeout(_TIMEOUT_S, connect=5.0), trust_env=False)


def invoke(
    actor: User,
    *,
    endpoint: str,
    body: bytes,
    deployment: str | None = None,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> InvokeResult:
    """Send `body` to the endpoint's scoring URI; `deployment` names one whatever its traffic.

    Raises Unavailable where the gateway does not answer; every answer of the gateway or the model is a result.
    """
    found = authorised_endpoint(actor, endpoint, actions.SCORE)
    sent = {name: value for name, value in (headers or {}).items() if name.lower() not in _REFUSED_HEADERS}
    sent |= {"Content-Type": content_type, "Authorization": f"Bearer {_bearer(actor, found)}"}
    if deployment:
        sent[DEPLOYMENT_HEADER] = deployment
    started = time.monotonic()
    try:
        answer = _client().post(f"{settings.SLIPWAY_GATEWAY_INTERNAL_URL}/{endpoint}/score", content=body, headers=sent)
    except httpx.TransportError as failure:
        raise Unavailable(
            f"The gateway at {settings.SLIPWAY_GATEWAY_INTERNAL_URL} does not answer "
            f"({type(failure).__name__}). See that it runs, then try again."
        ) from failure
    return InvokeResult(
        status=answer.status_code,
        headers=dict(answer.headers),
        body=answer.content,
        seconds=time.monotonic() - started,
        deployment=answer.headers.get(DEPLOYMENT_HEADER, ""),
        request_id=answer.headers.get(REQUEST_ID_HEADER, ""),
    )


def _bearer(actor: User, endpoint: OnlineEndpoint) -> str:
    if endpoint.auth_mode == "key":
        return unseal(EndpointKeys.objects.get(endpoint=endpoint).primary_secret).decode()
    if endpoint.auth_mode == "aml_token":
        return issue_token(actor, endpoint).access_token
    raise Conflict(
        f"The endpoint {endpoint.name!r} takes tokens of your identity provider (auth_mode aad_token); "
        "the studio has none to call it with. Call it with a token of your own."
    )
