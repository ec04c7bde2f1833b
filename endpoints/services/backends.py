"""Where a deployment's instances run: as its document says, else as the workspace does; never where nothing answers."""

from __future__ import annotations

from django.conf import settings

from endpoints.backends.registry import backend_names
from endpoints.backends.registry import backend_trouble as backend_trouble
from endpoints.spec.errors import FieldError, Invalid


def choose_backend(wanted: str | None) -> str:
    """The backend for a new deployment; `wanted` None leaves it to the workspace. Raises Invalid where it is away."""
    name = wanted or settings.SLIPWAY_BACKEND
    if name not in backend_names():
        message = f"SLIPWAY_BACKEND names no backend: {name!r}; choose one of {', '.join(backend_names())}."
    elif trouble := backend_trouble(name):
        message = f"Instances cannot run on {name!r}. {trouble}"
        if wanted and wanted != settings.SLIPWAY_BACKEND:
            message += f" Or leave 'backend' out: then they run on {settings.SLIPWAY_BACKEND!r}."
    else:
        return name
    raise Invalid(f"backend: {message}", details=[FieldError("backend", message)])
