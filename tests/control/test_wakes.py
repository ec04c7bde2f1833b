"""From a gateway's list to a waking: read at once, survived when Redis goes, and never acted on too late."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from endpoints.control import wakes
from endpoints.gateway.wakes import Wakes
from endpoints.spec.counters import HEARTBEATS
from endpoints.spec.wakes import WAKES, Wake
from tests.conftest import need, redis_binary


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """Of a Redis of its own."""
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server binary")
    path = tmp_path / "redis.sock"
    process = subprocess.Popen(
        [str(binary), "--port", "0", "--unixsocket", str(path), "--save", ""], stdout=subprocess.DEVNULL
    )
    while not path.exists():
        time.sleep(0.01)
    yield path
    process.terminate()
    process.wait(10)


def test_a_wake_that_nobody_took_in_time_is_dropped() -> None:
    entry = msgspec.json.encode(Wake(endpoint="risk", deployment="blue", asked_at_ms=1_000_000))
    assert wakes.read(entry, now_s=1010) is not None
    assert wakes.read(entry, now_s=1200) is None
    assert wakes.read(b"nonsense", now_s=1010) is None


@pytest.mark.redis
def test_what_a_gateway_asks_for_reaches_the_listener_and_a_failure_does_not_end_it(socket: Path) -> None:
    woken: list[str] = []
    is_over, is_done = threading.Event(), threading.Event()

    def act(wake: Wake) -> None:
        woken.append(wake.deployment)
        if len(woken) == 2:
            is_done.set()
        raise LookupError("no such deployment")

    def connect() -> Redis:
        return Redis(unix_socket_path=str(socket), socket_timeout=5)

    listener = threading.Thread(target=wakes.listen, args=(connect, act, is_over))
    listener.start()
    asyncio.run(_ask(socket, "blue", "blue", "green"))
    assert is_done.wait(10)
    is_over.set()
    listener.join(10)
    assert sorted(woken) == ["blue", "green"]


async def _ask(socket: Path, *deployments: str) -> None:
    """As the gateway's master does, once for processes that ask together."""
    redis = AsyncRedis(unix_socket_path=str(socket))
    gateway = Wakes(redis, "gateway-1")
    for name in deployments:
        gateway.ask("risk", name, 1)
    tasks = [asyncio.create_task(work) for work in (gateway.run(), gateway.beat())]
    while not await redis.hlen(HEARTBEATS):
        await asyncio.sleep(0.01)
    while await redis.llen(WAKES):
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await gateway.leave()
    assert not await redis.hlen(HEARTBEATS)
    await redis.aclose()
