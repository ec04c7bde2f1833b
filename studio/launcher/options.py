"""What `slipway up` was asked for: flags over environment over defaults."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from endpoints.spec.home import Home

# A Unix socket's path may have 107 bytes on Linux; a longer home needs another place for Redis's.
MAX_SOCKET_PATH_BYTES = 100


@dataclass(frozen=True, slots=True)
class Options:
    """Ports are TCP ports on `bind`; `gateway_processes` 0 means one a core."""

    home: Home
    bind: str
    port: int
    gateway_port: int
    has_sample: bool
    is_keeping_models: bool
    redis_url: str
    is_redis_embedded: bool

    @property
    def studio_url(self) -> str:
        return os.environ.get("SLIPWAY_URL", f"http://localhost:{self.port}").rstrip("/")

    @property
    def gateway_url(self) -> str:
        return os.environ.get("SLIPWAY_GATEWAY_URL", f"http://localhost:{self.gateway_port}").rstrip("/")

    def child_environment(self) -> dict[str, str]:
        """The environment every child gets: the caller's, with what was decided here made explicit."""
        return {
            **os.environ,
            "SLIPWAY_HOME": str(self.home.root),
            "SLIPWAY_BIND": self.bind,
            "SLIPWAY_GATEWAY_BIND": os.environ.get("SLIPWAY_GATEWAY_BIND", self.bind),
            "SLIPWAY_PORT": str(self.port),
            "SLIPWAY_URL": self.studio_url,
            "SLIPWAY_GATEWAY_PORT": str(self.gateway_port),
            "SLIPWAY_GATEWAY_URL": self.gateway_url,
            "SLIPWAY_REDIS_URL": self.redis_url,
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "PYTHONUNBUFFERED": "1",
        }


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Parse the command line; exits with 2 and a usage line when it does not parse."""
    parser = argparse.ArgumentParser(prog="slipway up", description="Start the studio on this machine.")
    parser.add_argument("--no-sample", action="store_true", help="do not deploy the sample on a first start")
    parser.add_argument(
        "--keep-models", action="store_true", help="leave model processes running when the studio stops"
    )
    parser.add_argument("--port", type=int, default=int(environment.get("SLIPWAY_PORT", "8000")))
    parser.add_argument("--gateway-port", type=int, default=int(environment.get("SLIPWAY_GATEWAY_PORT", "8080")))
    parser.add_argument("--home", type=Path, default=Path(environment.get("SLIPWAY_HOME", ".slipway")))
    parser.add_argument("--bind", default=environment.get("SLIPWAY_BIND", "127.0.0.1"))
    chosen = parser.parse_args(arguments)
    home = Home(chosen.home.resolve())
    redis_url = environment.get("SLIPWAY_REDIS_URL", "")
    return Options(
        home=home,
        bind=chosen.bind,
        port=chosen.port,
        gateway_port=chosen.gateway_port,
        has_sample=not chosen.no_sample,
        is_keeping_models=chosen.keep_models,
        redis_url=redis_url or f"unix://{_redis_socket(home)}",
        is_redis_embedded=not redis_url,
    )


def _redis_socket(home: Home) -> Path:
    """In the home where its path is short enough, else in a folder of this user's own that is named after the home."""
    path = home.run / "redis.sock"
    if _fits(path):
        return path
    name = f"slipway-{os.getuid()}-{hashlib.sha256(os.fsencode(home.root)).hexdigest()[:16]}"
    parents = [Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")), Path("/tmp")]  # noqa: S108 - the folder is checked below
    folder = next(parent / name for parent in parents if _fits(parent / name / "redis.sock"))
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise SystemExit(f"slipway: {folder} belongs to someone else; set SLIPWAY_HOME to a shorter path")
    return folder / "redis.sock"


def _fits(socket_path: Path) -> bool:
    return len(os.fsencode(socket_path)) <= MAX_SOCKET_PATH_BYTES
