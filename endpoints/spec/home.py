"""Where everything lies below SLIPWAY_HOME. The one place that knows the folder layout."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The data folder of one studio."""

    root: Path

    @property
    def studio_id(self) -> str:
        """Tells this studio's things from another's on an engine or host that both use."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    @property
    def run(self) -> Path:
        """Sockets, pid files and the connection file of the running studio."""
        return self.root / "run"

    @property
    def connection_file(self) -> Path:
        """`{"url", "token"}` for a command line on the same machine (mode 0600)."""
        return self.run / "connection.json"

    @property
    def process_logs(self) -> Path:
        """Logs of the studio's own processes: web, worker, beat, gateway, redis."""
        return self.root / "logs"

    @property
    def blobs(self) -> Path:
        """The content-addressed store (`endpoints.assets`)."""
        return self.root / "blobs"

    def upload(self, upload_id: str) -> Path:
        """Parts of one upload under way."""
        return self.root / "uploads" / upload_id

    @property
    def environments(self) -> Path:
        """One folder per build key: `venv/`, `build.jsonl`, `build.json`."""
        return self.root / "environments"

    @property
    def servers(self) -> Path:
        """Copies of the scoring server by digest, put on the path of instances."""
        return self.root / "servers"

    @property
    def staged_models(self) -> Path:
        """Models laid out once by digest; instances link to them."""
        return self.root / "staged" / "models"

    def deployment(self, endpoint: str, deployment: str) -> Path:
        """`rev-<n>/` (staged code), `instances/<id>/`, all removed with the deployment."""
        return self.root / "deployments" / endpoint / deployment

    def instance(self, endpoint: str, deployment: str, instance_id: str) -> Path:
        """`status.json`, scratch; lives as long as the instance."""
        return self.deployment(endpoint, deployment) / "instances" / instance_id

    def deployment_logs(self, endpoint: str, deployment: str) -> Path:
        """`<instance>/inference-server.jsonl[.N]` and `storage-initializer.jsonl`; outlive the instance."""
        return self.root / "instance-logs" / endpoint / deployment

    @property
    def routes_file(self) -> Path:
        """The last published route table."""
        return self.root / "routes" / "routes.json"

    @property
    def gateway(self) -> Path:
        """The gateway's own files: shared counters, access log, unsent counter batches."""
        return self.root / "gateway"
