"""Limits of the workspace (contract B1). Counts stand under the caller's lock; the numbers are settings."""

from __future__ import annotations

from django.conf import settings

from endpoints.models import OnlineDeployment, OnlineEndpoint
from endpoints.spec.errors import FieldError, OutOfQuota


def limit(name: str) -> int:
    """One number of SLIPWAY_LIMITS."""
    value: int = settings.SLIPWAY_LIMITS[name]
    return value


def _refuse(name: str, what: str, *, used: int, field: str = "") -> None:
    most = limit(name)
    if used < most:
        return
    message = (
        f"This studio allows {most} {what} and has {used}. Delete one, "
        f"or ask an admin to set SLIPWAY_LIMIT_{name.upper()} higher."
    )
    raise OutOfQuota(message, details=[FieldError(field, message)])


def require_room_for_endpoint() -> None:
    """Raise OutOfQuota where one more endpoint is one too many."""
    _refuse("endpoints", "endpoints", used=OnlineEndpoint.objects.count(), field="name")


def require_room_for_deployment(endpoint: OnlineEndpoint) -> None:
    """Raise OutOfQuota where one more deployment is one too many, of the endpoint or in all."""
    _refuse("deployments", "deployments", used=OnlineDeployment.objects.count(), field="name")
    used = endpoint.deployments.count()
    _refuse("deployments_per_endpoint", "deployments per endpoint", used=used, field="name")


def require_instance_count(count: int) -> None:
    """Raise OutOfQuota for more instances than one deployment may have."""
    _refuse("instances_per_deployment", "instances per deployment", used=count - 1, field="instance_count")
