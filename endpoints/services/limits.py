"""Limits of the workspace (contract B1). Counts stand under the caller's lock; the numbers are set by admins."""

from __future__ import annotations

from endpoints.models import OnlineDeployment, OnlineEndpoint
from endpoints.selectors.studio_settings import setting
from endpoints.spec.errors import FieldError, Invalid, LimitExceeded, OutOfQuota
from endpoints.spec.studio_settings import SETTINGS


def _refuse(name: str, *, used: int, field: str) -> None:
    most = setting(name)
    if used < most:
        return
    what = SETTINGS[name].what
    message = f"This studio allows {most} {what} and has {used}. Delete one, or ask an admin to raise {_where(name)}."
    raise OutOfQuota(message, details=[FieldError(field, message)])


def _where(name: str) -> str:
    return f"{SETTINGS[name].title!r} on the settings page ({name})"


def require_room_for_endpoint() -> None:
    """Raise OutOfQuota where one more endpoint is one too many."""
    _refuse("endpoints", used=OnlineEndpoint.objects.count(), field="name")


def require_room_for_deployment(endpoint: OnlineEndpoint) -> None:
    """Raise OutOfQuota where one more deployment is one too many, of the endpoint or in all."""
    _refuse("deployments", used=OnlineDeployment.objects.count(), field="name")
    _refuse("deployments_per_endpoint", used=endpoint.deployments.count(), field="name")


def require_instance_count(count: int) -> None:
    """Raise OutOfQuota for more instances than one deployment may have."""
    most = setting("instances_per_deployment")
    if count > most:
        message = (
            f"A deployment of this studio may have {most} instances, not {count}. Lower instance_count, or ask an "
            f"admin to raise {_where('instances_per_deployment')}."
        )
        raise OutOfQuota(message, details=[FieldError("instance_count", message)])


def most_instances() -> int:
    """How many instances one deployment may have."""
    return setting("instances_per_deployment")


def require_request_timeout(timeout_ms: int) -> None:
    """Raise Invalid for a longer time-out than the studio allows."""
    most, field = setting("request_timeout_ms"), "request_settings.request_timeout_ms"
    if timeout_ms > most:
        message = f"At most {most} ms, not {timeout_ms}; an admin can raise {_where('request_timeout_ms')}."
        raise Invalid(f"{field}: {message}", details=[FieldError(field, message)])


def require_model_files(count: int) -> None:
    """Raise LimitExceeded for a model of more files than a version may have."""
    most = setting("files_per_model")
    if count > most:
        message = (
            f"A model's version may have {most:,} files; this one has {count:,}. Register an archive of them, or ask "
            f"an admin to raise {_where('files_per_model')}."
        )
        raise LimitExceeded(f"path: {message}", details=[FieldError("path", message)])
