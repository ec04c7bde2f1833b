"""The Docker engine as this host has it configured, and its errors as the two of the contract."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from endpoints.backends.base import Permanent, Temporary
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

_TIMEOUT_S = 30
_PING_TIMEOUT_S = 2
# An answer so fresh needs no other.
_TRUSTED_S = 1.0
# An engine that did not answer is not asked again before.
_AWAY_S = 5.0


class Pulse:
    """Whether an engine answers, found out by one thread for all.

    A call to an engine that hangs lasts as long as its timeout, and every deployment makes such calls: without this
    they would take all threads of a worker, and deployments that need no engine would wait behind them.
    """

    def __init__(self, ping: Callable[[], None], *, now: Callable[[], float] = time.monotonic) -> None:
        self._ping, self._now = ping, now
        self._guard = threading.Lock()
        self._until = float("-inf")
        self._trouble: Temporary | None = None

    def require(self) -> None:
        """Return where it answered lately or answers now, else raise Temporary."""
        if self._now() >= self._until:
            with self._guard:
                if self._now() >= self._until:  # nobody found out while this one waited
                    self._feel()
        if self._trouble is not None:
            raise Temporary(str(self._trouble), retry_in=self._trouble.retry_in)

    def _feel(self) -> None:
        try:
            with engine_errors():
                self._ping()
        except Temporary as trouble:
            self._trouble, self._until = trouble, self._now() + _AWAY_S
        else:
            self._trouble, self._until = None, self._now() + _TRUSTED_S


def connect() -> docker.DockerClient:
    """The engine DOCKER_HOST names; one connection pool a process. Raises Temporary when it does not answer."""
    host = os.environ.get("DOCKER_HOST", "")
    _pulse(host).require()
    with engine_errors():
        return _client(host)


def is_configured() -> bool:
    """Whether this host speaks of an engine at all; a laptop without Docker is no trouble worth a word."""
    return bool(os.environ.get("DOCKER_HOST")) or Path("/var/run/docker.sock").exists()


def engine_trouble() -> str:
    """Why no engine can be used from here now, in a sentence; "" where one answers."""
    if not is_configured():
        return "There is no Docker engine on this machine: install one, or set DOCKER_HOST to where one listens."
    try:
        _pulse(os.environ.get("DOCKER_HOST", "")).require()
    except Temporary as trouble:
        return str(trouble)
    return ""


@functools.lru_cache(maxsize=4)
def _client(_: str) -> docker.DockerClient:
    return docker.from_env(timeout=_TIMEOUT_S)


@functools.lru_cache(maxsize=4)
def _pulse(_: str) -> Pulse:
    return Pulse(_ping)


def _ping() -> None:
    client = docker.from_env(timeout=_PING_TIMEOUT_S)
    try:
        client.ping()
    finally:
        client.close()


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
