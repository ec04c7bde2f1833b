"""How one gateway is set up: everything from the environment, read once at the start of a process."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from endpoints.spec.home import Home


class BadSetting(Exception):
    """A setting cannot be read; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times are in seconds.

    processes: 0 means one a core. admin_port: Prometheus metrics on loopback, 0 for none. tls_port: 0 means that the
    main port speaks TLS when a certificate is given. access_log_sample: the part of successful requests that is
    logged (failed ones always are, up to a rate). is_port_shared: other gateways listen on the same port and use the
    same home, each in a container of its own that shares a network with theirs. drain_seconds: how long an old
    generation lives on at most.
    """

    home: Home
    bind: str = "127.0.0.1"
    port: int = 8080
    admin_port: int = 0
    processes: int = 1
    redis_url: str = ""
    domain: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_port: int = 0
    access_log_sample: float = 0.01
    is_access_logged: bool = True
    drain_seconds: float = 30.0
    head_timeout: float = 15.0
    body_timeout: float = 30.0
    idle_timeout: float = 75.0
    stream_timeout: float = 60.0
    is_port_shared: bool = False

    @property
    def own_folder(self) -> Path:
        """What is of this gateway alone, whoever else uses the home: in a container process ids begin anew."""
        if not self.is_port_shared:
            return self.home.gateway
        return self.home.gateway / "members" / f"{socket.gethostname()}-{Path('/proc/self/ns/pid').stat().st_ino}"


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str = "") -> str:
        return self._environ.get(name, default)

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        text = self.text(name) or str(default)
        try:
            value = float(text)
        except ValueError:
            raise BadSetting(f"{name} must be a number, not {text!r}") from None
        if not low <= value <= high:
            raise BadSetting(f"{name} must be between {low:g} and {high:g}, not {text}")
        return value

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        return int(self.number(name, default, low=low, high=high))

    def file(self, name: str) -> Path | None:
        text = self.text(name)
        if text and not Path(text).is_file():
            raise BadSetting(f"{name} names {text}, which is not a file")
        return Path(text) if text else None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `SLIPWAY_…` variables. Raises BadSetting."""
    read = _Reader(environ)
    port = read.integer("SLIPWAY_GATEWAY_PORT", 8080, low=0, high=65535)
    certificate = read.file("SLIPWAY_GATEWAY_TLS_CERT")
    key = read.file("SLIPWAY_GATEWAY_TLS_KEY")
    if (certificate is None) != (key is None):
        raise BadSetting("SLIPWAY_GATEWAY_TLS_CERT and SLIPWAY_GATEWAY_TLS_KEY go together; one of them is missing")
    cores = len(os.sched_getaffinity(0))
    return Settings(
        home=Home(Path(read.text("SLIPWAY_HOME", str(Path.cwd() / ".slipway"))).resolve()),
        bind=read.text("SLIPWAY_GATEWAY_BIND", "127.0.0.1"),
        port=port,
        admin_port=read.integer("SLIPWAY_GATEWAY_ADMIN_PORT", 0, low=0, high=65535),
        processes=read.integer("SLIPWAY_GATEWAY_PROCESSES", 0, low=0, high=30) or min(cores, 30),
        redis_url=read.text("SLIPWAY_REDIS_URL"),
        domain=read.text("SLIPWAY_GATEWAY_DOMAIN").strip(".").lower(),
        tls_certificate=certificate,
        tls_key=key,
        tls_port=read.integer("SLIPWAY_GATEWAY_TLS_PORT", 0, low=0, high=65535),
        access_log_sample=read.number("SLIPWAY_GATEWAY_ACCESS_LOG_SAMPLE", 0.01, low=0, high=1),
        is_access_logged=read.text("SLIPWAY_GATEWAY_ACCESS_LOG", "on").lower() not in {"off", "0", "no", "false"},
        is_port_shared=read.text("SLIPWAY_GATEWAY_SHARED_PORT").lower() in {"1", "on", "true", "yes"},
        drain_seconds=read.number("SLIPWAY_GATEWAY_DRAIN_SECONDS", 30, low=0, high=3600),
        head_timeout=read.number("SLIPWAY_GATEWAY_HEAD_TIMEOUT", 15, low=0.1, high=3600),
        body_timeout=read.number("SLIPWAY_GATEWAY_BODY_TIMEOUT", 30, low=0.1, high=3600),
        idle_timeout=read.number("SLIPWAY_GATEWAY_IDLE_TIMEOUT", 75, low=0.1, high=86400),
        stream_timeout=read.number("SLIPWAY_GATEWAY_STREAM_TIMEOUT", 60, low=0.1, high=86400),
    )
