"""What there is locally: one small JSON file an endpoint, written whole, under one lock for all changes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from endpoints.cli.failures import StudioError
from endpoints.spec.failure import Failure
from endpoints.spec.home import Home
from endpoints.spec.states import ProvisioningState


class LocalDeployment(msgspec.Struct, kw_only=True):
    """One deployment.

    document: as it was written, normalised. revision grows with every start. instance_id: of the instance that
    answers, "" without one. scoring_path: where it takes requests. failure: of the last change, None where that went
    well.
    """

    name: str
    document: dict[str, Any]
    backend: str = "process"
    revision: int = 0
    instance_id: str = ""
    host: str = ""
    port: int = 0
    scoring_path: str = "/score"
    failure: Failure | None = None

    @property
    def state(self) -> ProvisioningState:
        return ProvisioningState.FAILED if self.failure or not self.instance_id else ProvisioningState.SUCCEEDED

    @property
    def scoring_uri(self) -> str:
        host = (
            "localhost" if self.host.startswith("127.") else self.host
        )  # a closed network has no way through loopback
        return f"http://{host}:{self.port}{self.scoring_path}" if self.port else ""


class LocalEndpoint(msgspec.Struct, kw_only=True):
    """One endpoint and its deployments, in the order in which they were made."""

    name: str
    auth_mode: str = "key"
    description: str = ""
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    deployments: dict[str, LocalDeployment] = {}

    @property
    def answering(self) -> LocalDeployment | None:
        """The deployment behind the endpoint's own URI: the one made last that runs."""
        return next((one for one in reversed(self.deployments.values()) if one.instance_id), None)


class Records:
    """The endpoints of one person on one machine."""

    def __init__(self, home: Home) -> None:
        self._folder = home.root / "local-endpoints"

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One change at a time; a second one waits."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def all(self) -> list[LocalEndpoint]:
        return [self._read(path) for path in sorted(self._folder.glob("*.json"))]

    def find(self, name: str) -> LocalEndpoint | None:
        path = self._path(name)
        return self._read(path) if path.exists() else None

    def get(self, name: str) -> LocalEndpoint:
        """Raises StudioError (404) for one that is not there."""
        if found := self.find(name):
            return found
        raise missing(f"There is no local endpoint '{name}'.")

    def get_deployment(self, endpoint: str, name: str) -> tuple[LocalEndpoint, LocalDeployment]:
        parent = self.get(endpoint)
        if found := parent.deployments.get(name.lower()):
            return parent, found
        raise missing(f"The local endpoint '{endpoint}' has no deployment '{name}'.")

    def save(self, endpoint: LocalEndpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(endpoint.name)
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(endpoint)))
        draft.replace(path)

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if "/" in name or name.startswith("."):
            raise missing(f"There is no local endpoint '{name}'.")
        return self._folder / f"{name.lower()}.json"

    def _read(self, path: Path) -> LocalEndpoint:
        return msgspec.json.decode(path.read_bytes(), type=LocalEndpoint)


def missing(message: str) -> StudioError:
    return StudioError(message, status=404, code="ResourceNotFound")


def local_home(environment: Mapping[str, str] | None = None) -> Home:
    """SLIPWAY_LOCAL_HOME, else a folder of this person's own data. Never that of a studio."""
    environment = os.environ if environment is None else environment
    if folder := environment.get("SLIPWAY_LOCAL_HOME"):
        return Home(Path(folder).resolve())
    data = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Home(Path(data) / "slipway" / "local")
