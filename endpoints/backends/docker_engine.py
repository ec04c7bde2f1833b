"""The Docker engine as this host has it configured, and its errors as the two of the contract."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from endpoints.backends.base import Permanent, Temporary
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

_TIMEOUT_S = 30
_PING_TIMEOUT_S = 3


def connect() -> docker.DockerClient:
    """The engine DOCKER_HOST names; one connection pool a process. Raises Temporary when it does not answer."""
    with engine_errors():
        return _client(os.environ.get("DOCKER_HOST", ""))


def is_configured() -> bool:
    """Whether this host speaks of an engine at all; a laptop without Docker is no trouble worth a word."""
    return bool(os.environ.get("DOCKER_HOST")) or Path("/var/run/docker.sock").exists()


def engine_trouble() -> str:
    """Why no engine can be used from here now, in a sentence; "" where one answers."""
    if not is_configured():
        return "There is no Docker engine on this machine: install one, or set DOCKER_HOST to where one listens."
    try:
        client = docker.from_env(timeout=_PING_TIMEOUT_S)
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, requests.exceptions.RequestException) as error:
        return f"The Docker engine does not answer: {error}."
    return ""


@functools.lru_cache(maxsize=4)
def _client(_: str) -> docker.DockerClient:
    return docker.from_env(timeout=_TIMEOUT_S)


@contextlib.contextmanager
def engine_errors() -> Iterator[None]:
    """An engine that is away or busy may be back; an image that is gone will not come by itself."""
    try:
        yield
    except ImageNotFound as error:
        raise Permanent(
            Failure(
                code=FailureCode.RESOURCE_NOT_FOUND,
                message=f"The environment's image is not on the engine any more: {error.explanation}.",
                advice="Build the environment again, then retry the deployment.",
            )
        ) from error
    except APIError as error:
        if "no space left" in str(error.explanation).lower():
            raise Temporary("The disk of the Docker engine is full.", retry_in=30.0) from error
        raise Temporary(f"The Docker engine refused: {error.explanation}.", retry_in=5.0) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise Temporary(f"The Docker engine does not answer: {error}.", retry_in=5.0) from error
