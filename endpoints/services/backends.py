"""Where a deployment's instances run: as its document says, else as the workspace does; never where nothing answers."""

from __future__ import annotations

from django.conf import settings

from endpoints.backends.base import Temporary
from endpoints.backends.registry import backend_names, gpus_on
from endpoints.backends.registry import backend_trouble as backend_trouble
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.instance_types import InstanceSize


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


def require_gpus(backend: str, size: InstanceSize) -> None:
    """Raise Invalid where the type has more GPUs than the backend could ever give an instance.

    Cores and memory are clipped to the host instead: a model is slower with less of them, and useless without its GPU.
    """
    if not size.gpus:
        return
    try:
        there = gpus_on(backend)
    except Temporary as trouble:
        raise Invalid(f"instance_type: {trouble}", details=[FieldError("instance_type", str(trouble))]) from trouble
    if there is None or size.gpus <= there:
        return
    has = "has none" if not there else f"has {there}"
    message = (
        f"{size.name} has {size.gpus:.3g} GPU{'' if size.gpus <= 1 else 's'} ({size.gpu_model}), and the Docker "
        f"engine's host {has} that containers can be given. Choose a type without GPUs, or install NVIDIA's container "
        "toolkit there."
    )
    raise Invalid(f"instance_type: {message}", details=[FieldError("instance_type", message)])
