"""Pairs from a real gateway to a real Redis, against what its callers saw; and callers while the shadow misbehaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import redis

from endpoints.gateway.pair_road import MAX_ENTRIES
from endpoints.spec.counters import STREAM as COUNTERS
from endpoints.spec.counters import CounterBatch
from endpoints.spec.pairs import STREAM, Pair, PairBatch
from endpoints.spec.routes import Comparison, DeploymentRoute, InstanceRoute, Mirror
from tests.conftest import need, redis_binary
from tests.gateway.live import InstanceProcess, LiveGateway, endpoint, live_gateway, serving, until

pytestmark = [pytest.mark.redis, pytest.mark.slow]

KEY = {"authorization": "Bearer the-key"}
REQUESTS = 300
ALL = Mirror(
    deployment="green",
    percent=100,
    comparison=Comparison(sample_percent=100, max_per_second=100, keeps_requests=False),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis of this test's own."""
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server binary")
    assert binary is not None
    address = tmp_path / "redis.sock"
    command = [binary, "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(address))
    until(lambda: address.exists() and bool(_ping(client)), "Redis answers")
    yield client
    client.close()
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def _ping(client: redis.Redis) -> object:
    try:
        return client.ping()
    except redis.RedisError:
        return False


@contextmanager
def gateway_with(tmp_path: Path, live: InstanceProcess, shadow: DeploymentRoute) -> Iterator[LiveGateway]:
    route = endpoint(serving(live), shadow, mirror=ALL)
    with live_gateway(tmp_path / "home", route, SLIPWAY_REDIS_URL=f"unix://{tmp_path / 'redis.sock'}") as gateway:
        yield gateway


def call(gateway: LiveGateway, times: int, *, pause: float = 0.01) -> dict[str, bytes]:
    """What the caller was answered, by request id; each on a connection of its own now and then."""
    answers = {}
    for _ in range(times // 20):
        with httpx.Client(headers=KEY, timeout=10) as client:
            for size in range(20):
                answer = client.post(f"{gateway.url}/sample/score", content=bytes(size))
                assert answer.status_code == 200, answer.text
                answers[answer.headers["x-request-id"]] = answer.content
                time.sleep(pause)
    return answers


def _entries(store: redis.Redis, stream: str) -> list[dict[bytes, bytes]]:
    found: Any = store.xrange(stream)
    return [entry for _, entry in found]


def pairs_in(store: redis.Redis) -> list[Pair]:
    batches = [msgspec.msgpack.decode(entry[b"pairs"], type=PairBatch) for entry in _entries(store, STREAM)]
    return [pair for batch in batches for pair in batch.pairs]


def counted_in(store: redis.Redis, *, is_mirror: bool) -> int:
    sent = {entry[b"id"]: entry[b"batch"] for entry in _entries(store, COUNTERS)}  # one may come twice
    batches = [msgspec.json.decode(batch, type=CounterBatch) for batch in sent.values()]
    series = (one for batch in batches for one in batch.series)
    return sum(one.requests for one in series if one.is_mirror == is_mirror and one.endpoint == "sample")


@pytest.fixture
def instances() -> Iterator[list[InstanceProcess]]:
    both = [InstanceProcess("blue-1"), InstanceProcess("green-1")]
    yield both
    for one in both:
        with suppress(ProcessLookupError):
            os.kill(one.process.pid, signal.SIGCONT)
        one.kill()


def test_pairs_hold_what_callers_were_answered(
    tmp_path: Path, store: redis.Redis, instances: list[InstanceProcess]
) -> None:
    with gateway_with(tmp_path, instances[0], serving(instances[1], name="green")) as gateway:
        answers = call(gateway, REQUESTS)
        until(lambda: counted_in(store, is_mirror=True) == REQUESTS, "all copies are counted")
        until(lambda: len(pairs_in(store)) >= REQUESTS * 0.9, "the pairs are there")
        found = pairs_in(store)
        assert {pair.request_id for pair in found} <= answers.keys()
        assert all(pair.live.body == answers[pair.request_id] for pair in found)
        assert all(pair.shadow.body == pair.live.body.replace(b"blue", b"green") for pair in found)
        assert all(pair.live.microseconds > 0 and pair.shadow.microseconds > 0 for pair in found)


@pytest.mark.parametrize("how", ["dead", "stopped", "garbage"])
def test_callers_see_no_failure_of_a_shadow(
    tmp_path: Path, store: redis.Redis, instances: list[InstanceProcess], how: str
) -> None:
    shadow = serving(instances[1], name="green", request_timeout_ms=500)
    if how == "dead":
        instances[1].kill()
    elif how == "stopped":
        os.kill(instances[1].process.pid, signal.SIGSTOP)
    else:
        shadow = msgspec.structs.replace(shadow, instances=(InstanceRoute(id="g", host="127.0.0.1", port=_garbage()),))
    with gateway_with(tmp_path, instances[0], shadow) as gateway:
        answers = call(gateway, 200, pause=0.005)
        until(lambda: counted_in(store, is_mirror=True) == 200, "all copies are counted")
        until(lambda: bool(pairs_in(store)), "pairs tell of it")
        assert len(answers) == 200
        assert {pair.reason for pair in pairs_in(store)} == {"ShadowFailed"}
        word = {"dead": "InstanceUnreachable", "stopped": "RequestTimeout", "garbage": "BadAnswer"}[how]
        assert word in {pair.shadow.failure for pair in pairs_in(store)}


def _garbage() -> int:
    """A port where nonsense answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def test_a_redis_that_stands_still_costs_pairs_and_no_counter(
    tmp_path: Path, store: redis.Redis, instances: list[InstanceProcess]
) -> None:
    pid = int(store.info("server")["process_id"])
    with gateway_with(tmp_path, instances[0], serving(instances[1], name="green")) as gateway:
        os.kill(pid, signal.SIGSTOP)
        answers = call(gateway, 400)
        os.kill(pid, signal.SIGCONT)
        assert len(answers) == 400
        until(lambda: counted_in(store, is_mirror=False) == 400, "every request is counted")


def test_pairs_nobody_takes_stay_few(tmp_path: Path, store: redis.Redis, instances: list[InstanceProcess]) -> None:
    for _ in range(MAX_ENTRIES):
        store.xadd(STREAM, {"id": "old", "pairs": msgspec.msgpack.encode(PairBatch(id="old"))})
    with gateway_with(tmp_path, instances[0], serving(instances[1], name="green")) as gateway:
        call(gateway, 60)
        until(lambda: len(pairs_in(store)) >= 60, "the newest are there")
        assert store.xlen(STREAM) <= MAX_ENTRIES
