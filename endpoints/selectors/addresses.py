"""Where clients reach an endpoint, as this installation is configured."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from endpoints.models import OnlineEndpoint


def scoring_uri(endpoint: OnlineEndpoint) -> str:
    """By path on the gateway's own address, or by host name where the studio has a gateway domain."""
    gateway: str = settings.SLIPWAY_GATEWAY_URL
    if not settings.SLIPWAY_GATEWAY_DOMAIN:
        return f"{gateway}/{endpoint.name}/score"
    parts = urlsplit(gateway)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{endpoint.name}.{settings.SLIPWAY_GATEWAY_DOMAIN}{port}/score"


def openapi_uri(endpoint: OnlineEndpoint) -> str:
    """Where the endpoint describes its requests and answers."""
    return scoring_uri(endpoint).removesuffix("/score") + "/swagger.json"
