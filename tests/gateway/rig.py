"""A gateway process without sockets: raw bytes in, raw bytes out, a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from endpoints.gateway.board import Board
from endpoints.gateway.plane import DataPlane
from endpoints.gateway.protocol import ClientConnection
from endpoints.gateway.settings import Settings
from endpoints.gateway.upstream import UpstreamConnection
from endpoints.spec.counters import Series
from endpoints.spec.home import Home
from endpoints.spec.routes import DeploymentRoute, EndpointRoute, InstanceRoute, RouteTable

KEY = b"the-key"
AUTH = b"authorization: Bearer the-key\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class FakeTransport:
    """Keeps what is written; never a socket."""

    def __init__(self) -> None:
        self.sent = b""
        self.is_closed = self.is_aborted = self.is_paused = self.has_eof = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed, "written after close"
        self.sent += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_eof = True

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.9", 4711) if name == "peername" else None

    def take(self) -> bytes:
        sent, self.sent = self.sent, b""
        return sent


class Instance:
    """The gateway's connection to an instance, played by the test."""

    def __init__(self, connection: UpstreamConnection, port: int) -> None:
        self.connection = connection
        self.transport = FakeTransport()
        self.port = port
        connection.connection_made(self.transport)  # type: ignore[arg-type]

    @property
    def is_asked(self) -> bool:
        return bool(self.transport.sent)

    def asked(self) -> bytes:
        return self.transport.take()

    def answer(self, data: bytes = OK) -> None:
        self.connection.data_received(data)

    def die(self, error: Exception | None = None) -> None:
        self.transport.is_closed = True
        self.connection.connection_lost(error)


class Client:
    """A client's connection, played by the test."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.transport = FakeTransport()
        self.connection = ClientConnection(rig.plane)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)
            self._rig.settle()

    def got(self) -> bytes:
        return self.transport.take()

    def leave(self) -> None:
        self.transport.is_closed = True
        self.connection.connection_lost(None)


class Rig:
    """Plane, fake dialer and clock."""

    def __init__(self, home: Path, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        self.loop = loop
        self.now = 1000.0
        self.version = 0
        self.dialled: list[Instance] = []
        self.refused: set[int] = set()
        self.board = Board.create()
        self.plane = DataPlane(
            Settings(home=Home(home), **settings),
            loop=loop,
            board=self.board,
            source="test",
            clock=lambda: self.now,
            wall_clock=lambda: 1_700_000_000 + self.now,
            dial=self._dial,
        )

    async def _dial(self, factory: Any, host: str, port: int) -> Any:
        if port in self.refused:
            raise ConnectionRefusedError
        instance = Instance(factory(), port)
        self.dialled.append(instance)
        return instance.transport, instance.connection

    def publish(self, *endpoints: EndpointRoute, **of_all: Any) -> None:
        self.version += 1
        table = RouteTable(version=self.version, endpoints={one.name: one for one in endpoints}, **of_all)
        self.plane.book.apply(table)

    def client(self) -> Client:
        return Client(self)

    def settle(self) -> None:
        for _ in range(6):
            self.loop.run_until_complete(asyncio.sleep(0))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.plane.advance()
        self.settle()

    def asked(self) -> Instance:
        """The one instance connection that has an unread request."""
        [found] = [one for one in self.dialled if one.is_asked]
        return found

    def counted(self) -> list[Series]:
        batch = self.plane.counters.take_batch()
        return list(batch.series) if batch else []


def deployment(name: str = "blue", *, ports: tuple[int, ...] = (7001,), **limits: Any) -> DeploymentRoute:
    instances = tuple(InstanceRoute(id=f"{name}-{port}", host="127.0.0.1", port=port) for port in ports)
    return DeploymentRoute(name=name, instances=instances, **limits)


def endpoint(*deployments: DeploymentRoute, name: str = "sample", **fields: Any) -> EndpointRoute:
    mine = deployments or (deployment(),)
    fields.setdefault("traffic", {mine[0].name: 100})
    fields.setdefault("key_digests", (hashlib.sha256(KEY).hexdigest(),))
    return EndpointRoute(name=name, deployments={one.name: one for one in mine}, **fields)


def request(body: bytes = b"{}", *, target: str = "/sample/score", headers: bytes = b"", method: str = "POST") -> bytes:
    start = f"{method} {target} HTTP/1.1\r\nhost: gateway\r\n".encode()
    return start + AUTH + headers + b"content-length: %d\r\n\r\n" % len(body) + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def header_of(answer: bytes, name: str) -> str | None:
    for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.decode().lower() == name:
            return value.strip().decode()
    return None


def error_of(answer: bytes) -> str:
    return str(msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["error"]["code"])


def ask(rig: Rig, raw: bytes) -> bytes:
    """The answer to a request that reaches no instance."""
    client = rig.client()
    client.send(raw)
    return client.got()
