"""What `aml_token` bearers claim, agreed between who signs them (services) and who publishes the rules (control)."""

from __future__ import annotations

ISSUER = "slipway"
ALGORITHM = "EdDSA"


def audience(endpoint: str) -> str:
    """A token is good for one endpoint."""
    return f"slipway:online-endpoint:{endpoint}"
