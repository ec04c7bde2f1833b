"""What is fuzzed, and what must hold for it."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httptools
import msgspec

from endpoints.gateway.chunked import BadChunk, ChunkedDecoder
from endpoints.gateway.errors import Refusal
from endpoints.gateway.parsing import (
    BadAnswer,
    parse_answer_head,
    parse_request_head,
)
from endpoints.gateway.routes_watch import BadRoutes, read_table
from endpoints.spec.routes import DeploymentRoute, EndpointRoute, InstanceRoute, Mirror, RouteTable, StickyKey
from tests.gateway.rig import Rig, deployment, endpoint


class Finding(Exception):
    """Something that must not be."""


@dataclass(frozen=True)
class Target:
    """feed: returns whether the input was accepted. share: of all inputs."""

    feed: Callable[[bytes], bool]
    seeds: Sequence[bytes]
    share: float


_HEADS = (
    b"POST /sample/score HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer the-key\r\nContent-Length: 5\r\n\r\n",
    b"POST /sample/score?a=b HTTP/1.1\r\nHost: a.localhost:80\r\nTransfer-Encoding: chunked\r\nAccept: */*\r\n\r\n",
    b"GET /-/healthz HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: g\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    b"GET http://g/sample/ws HTTP/1.1\r\nHost: g\r\nConnection: Upgrade, X\r\nUpgrade: websocket\r\nX: 1\r\n\r\n",
)


class _Reader:
    """What llhttp makes of the same bytes."""

    def __init__(self, raw: bytes) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_whole = False
        self.parser = httptools.HttpRequestParser(self)
        with suppress(httptools.HttpParserUpgrade):
            self.parser.feed_data(raw)
        self.is_keep_alive = bool(self.parser.should_keep_alive())

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_whole = True


def _request_head(raw: bytes) -> bool:
    end = raw.find(b"\r\n\r\n")
    raw = raw[: end + 4] if end >= 0 else raw + b"\r\n\r\n"
    try:
        head = parse_request_head(raw)
    except Refusal:
        return False
    try:
        theirs = _Reader(raw)
    except httptools.HttpParserError as error:
        # llhttp knows a fixed list of methods and no more; everything else it refuses, we must refuse too.
        if "method" in str(error).lower():
            return True
        raise Finding(f"llhttp refuses what we accept: {error}") from None
    lengths = [value for name, value in theirs.headers if name == b"content-length"]
    codings = [value for name, value in theirs.headers if name == b"transfer-encoding"]
    expected = -1 if codings else int(lengths[0]) if lengths else 0
    if not theirs.is_whole or theirs.target != head.target or head.content_length != expected:
        raise Finding(f"read differently: {theirs.target!r} {expected} and {head.target!r} {head.content_length}")
    return True


def _chunks(data: bytes) -> bool:
    whole, bytewise = ChunkedDecoder(), ChunkedDecoder()
    try:
        pieces: list[bytes] | None = whole.feed(data)
    except BadChunk:
        pieces = None
    slowly: list[bytes] | None = []
    try:
        for at in range(len(data)):
            if bytewise.is_done:
                break
            slowly += bytewise.feed(data[at : at + 1])  # type: ignore[operator]
    except BadChunk:
        slowly = None
    if (pieces is None) != (slowly is None) or whole.is_done != bytewise.is_done:
        raise Finding(f"the cut matters: {pieces} and {slowly}")
    if pieces is not None and b"".join(pieces) != b"".join(slowly or ()):
        raise Finding("the cut changes the payload")
    return whole.is_done


def _answer_head(raw: bytes) -> bool:
    try:
        head = parse_answer_head(raw)
    except BadAnswer:
        return False
    if not 100 <= head.status <= 999 or head.content_length < -2 or (head.fields and head.fields[:2] != b"\r\n"):
        raise Finding("an answer that makes no sense was accepted")
    return True


def _routes(content: bytes) -> bool:
    try:
        table = read_table(content)
    except BadRoutes:
        return False
    _RIG.plane.book.apply(table)
    for name in table.endpoints:
        _RIG.plane.book.find(name)
    client = _RIG.client()
    client.connection.data_received(_HEADS[0] + b"hello")
    _check(client.got())
    client.leave()
    return True


def _check(got: bytes) -> None:
    if got and not got.startswith(b"HTTP/1.1 "):
        raise Finding(f"answered with {got[:80]!r}")
    if b"InternalServerError" in got:
        raise Finding("failed in the gateway itself")


def _connection(data: bytes) -> bool:
    """A whole connection: no exception, and every answer is one of ours or the instance's."""
    client = _SERVED.client()
    half = len(data) // 2
    for piece in (data[:half], data[half:]):
        if not client.transport.is_closed:
            client.connection.data_received(piece)
    _SERVED.settle()
    for instance in _SERVED.dialled:
        if instance.is_asked and not instance.transport.is_closed:
            instance.asked()
            instance.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    got = client.got()
    _check(got)
    client.leave()
    _SERVED.dialled = [one for one in _SERVED.dialled if not one.transport.is_closed][-8:]
    return b" 200 " in got[:20]


_LOOP = asyncio.new_event_loop()
_FOLDER = tempfile.mkdtemp(prefix="slipway-fuzz-")
_RIG = Rig(Path(_FOLDER), _LOOP)
_SERVED = Rig(Path(_FOLDER), _LOOP)
_SERVED.publish(endpoint(deployment(max_concurrent_requests_per_instance=1000)))
_TABLE = RouteTable(
    version=1,
    domain="models.example",
    endpoints={
        "sample": EndpointRoute(
            name="sample",
            key_digests=(hashlib.sha256(b"the-key").hexdigest(),),
            traffic={"blue": 90, "green": 10},
            mirror=Mirror(deployment="green", percent=10),
            sticky=StickyKey(kind="json", name="user.id"),
            cors_origins=("https://a.example",),
            requests_per_second=500,
            bytes_per_second=5_000_000,
            deployments={
                name: DeploymentRoute(
                    name=name, instances=(InstanceRoute(id=f"{name}-1", host="127.0.0.1", port=9000),)
                )
                for name in ("blue", "green")
            },
        )
    },
)
_BODY = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
TARGETS = {
    "head": Target(_request_head, _HEADS, 0.35),
    "chunks": Target(_chunks, (_BODY, b"0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), 0.2),
    "answer": Target(
        _answer_head,
        (
            b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nX-Request-Id: a\r\nConnection: keep-alive",
            b"HTTP/1.0 500 Oh no\r\nTransfer-Encoding: chunked\r\nA: b",
            b"HTTP/1.1 204\r\nKeep-Alive: timeout=5",
        ),
        0.2,
    ),
    "routes": Target(_routes, (msgspec.json.encode(_TABLE),), 0.15),
    "connection": Target(
        _connection,
        (
            *(head + b"hello" for head in _HEADS),
            _HEADS[1] + _BODY,
            (_HEADS[0] + b"hello") * 3,
            _HEADS[1] + _BODY + _HEADS[0] + b"hello",
        ),
        0.1,
    ),
}
