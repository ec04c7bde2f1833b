"""Backends by the name a workspace or deployment chooses them by."""

from __future__ import annotations

from collections.abc import Callable

from endpoints.backends.base import Backend
from endpoints.backends.docker import DockerBackend
from endpoints.backends.docker_engine import connect, engine_errors, engine_trouble
from endpoints.backends.docker_gpus import gpus_of
from endpoints.backends.process import ProcessBackend
from endpoints.spec.errors import Invalid
from endpoints.spec.home import Home

_MAKERS: dict[str, Callable[[Home], Backend]] = {ProcessBackend.name: ProcessBackend, DockerBackend.name: DockerBackend}


def backend_names() -> tuple[str, ...]:
    return tuple(_MAKERS)


def backend_trouble(name: str) -> str:
    """Why nothing can be started on the backend just now, in a sentence; "" where it can."""
    return engine_trouble() if name == DockerBackend.name else ""


def gpus_on(name: str) -> int | None:
    """How many GPUs the backend can give to instances; None where it gives none out: those see what the host has.

    Raises Temporary where the engine does not answer.
    """
    if name != DockerBackend.name:
        return None
    with engine_errors():
        return len(gpus_of(connect().info()))


def gpu_room(name: str, home: Home, gpus: float) -> int | None:
    """How many more instances with so many GPUs there is room for now; None and errors as of `gpus_on`."""
    return DockerBackend(home).gpu_room(gpus) if name == DockerBackend.name and gpus else None


def get_backend(name: str, home: Home) -> Backend:
    """The backend called `name`, working in `home`; cheap, may be made anew for every use."""
    try:
        return _MAKERS[name](home)
    except KeyError:
        raise Invalid(f"There is no backend {name!r}; choose one of {', '.join(_MAKERS)}.") from None
