"""A real gateway process and real instances on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import msgspec

from endpoints.spec.home import Home
from endpoints.spec.routes import DeploymentRoute, EndpointRoute, InstanceRoute, RouteTable
from tests.gateway.rig import endpoint

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for a condition; fail with its name."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


class InstanceProcess:
    """One model server."""

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        script = Path(__file__).with_name("instance_process.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(port), name], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.route = InstanceRoute(id=name, host="127.0.0.1", port=self.port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class LiveGateway:
    """`python -m endpoints.gateway` with a home of its own."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.home = Home(root)
        self.port = free_port()
        self.admin_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.version = 0
        self._environ = {
            **os.environ,
            "SLIPWAY_HOME": str(root),
            "SLIPWAY_GATEWAY_PORT": str(self.port),
            "SLIPWAY_GATEWAY_ADMIN_PORT": str(self.admin_port),
            "SLIPWAY_GATEWAY_PROCESSES": "2",
            "SLIPWAY_GATEWAY_ACCESS_LOG_SAMPLE": "1",
            **environ,
        }
        root.mkdir(parents=True, exist_ok=True)
        self._log: IO[bytes] = (root / "gateway.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> LiveGateway:
        command = [sys.executable, "-m", "endpoints.gateway"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._environ, stderr=self._log)
        until(self.is_healthy, f"gateway healthy; {self.log()}")
        return self

    def is_healthy(self) -> bool:
        """It answers, and its master has opened the admin port: the last thing it does when it starts."""
        try:
            return httpx.get(f"{self.url}/-/healthz", timeout=2).status_code == 200 and bool(self.workers())
        except httpx.HTTPError:
            return False

    def publish(self, *endpoints: EndpointRoute) -> None:
        self.version += 1
        table = RouteTable(version=self.version, endpoints={one.name: one for one in endpoints})
        file = self.home.routes_file
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(".draft")
        draft.write_bytes(msgspec.json.encode(table))
        draft.replace(file)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def workers(self) -> list[int]:
        found = httpx.get(f"http://127.0.0.1:{self.admin_port}/healthz", timeout=2).json()
        return [int(pid) for pid in found.get("workers", ())]  # none yet while it starts

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=2).text

    def log(self) -> str:
        return (self.home.root / "gateway.log").read_text()

    def close(self) -> None:
        self.stop()
        self._log.close()


@contextmanager
def live_gateway(root: Path, *endpoints: EndpointRoute, **environ: str) -> Iterator[LiveGateway]:
    """Started, with these endpoints on disk beforehand."""
    gateway = LiveGateway(root, **environ)
    if endpoints:
        gateway.publish(*endpoints)
    try:
        yield gateway.start()
    finally:
        gateway.close()


def serving(*instances: InstanceProcess, name: str = "blue", **limits: object) -> DeploymentRoute:
    limits.setdefault("max_concurrent_requests_per_instance", 200)
    return DeploymentRoute(name=name, instances=tuple(one.route for one in instances), **limits)  # type: ignore[arg-type]


__all__ = ["InstanceProcess", "LiveGateway", "endpoint", "live_gateway", "serving", "until"]
