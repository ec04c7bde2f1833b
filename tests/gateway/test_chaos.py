"""Everything happens under steady load of 500 requests a second, and no request fails."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoints.spec.routes import EndpointRoute
from tests.conftest import need, redis_binary
from tests.gateway.live import InstanceProcess, LiveGateway, endpoint, live_gateway, serving, until
from tests.gateway.load import SteadyLoad

pytestmark = pytest.mark.slow
RATE = 500


@pytest.fixture
def fleet() -> Iterator[dict[str, InstanceProcess]]:
    found = {name: InstanceProcess(name) for name in ("blue-1", "blue-2", "blue-3", "green-1")}
    yield found
    for one in found.values():
        one.kill()


@pytest.fixture
def gateway(tmp_path: Path, fleet: dict[str, InstanceProcess]) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path, routes(fleet)) as one:
        yield one


def routes(fleet: dict[str, InstanceProcess], *, green: int = 0, keys: tuple[str, ...] = ("the-key",)) -> EndpointRoute:
    blue = serving(*(one for name, one in fleet.items() if name.startswith("blue")))
    return endpoint(
        blue,
        serving(fleet["green-1"], name="green"),
        traffic={"blue": 100 - green, "green": green},
        key_digests=tuple(hashlib.sha256(key.encode()).hexdigest() for key in keys),
    )


async def under_load(gateway: LiveGateway, *steps: object, pause: float = 1.5) -> SteadyLoad:
    """Load before, between and after the steps."""
    load = SteadyLoad(gateway.port, rate=RATE)
    load.start()
    await asyncio.sleep(pause)
    for step in steps:
        await asyncio.to_thread(step)  # type: ignore[arg-type]
        await asyncio.sleep(pause)
    await load.stop()
    assert load.total > RATE * pause * (len(steps) + 1) * 0.5
    return load


def test_an_instance_is_killed(gateway: LiveGateway, fleet: dict[str, InstanceProcess]) -> None:
    def kill() -> None:
        fleet.pop("blue-2").kill()

    load = asyncio.run(under_load(gateway, kill, lambda: gateway.publish(routes(fleet))))
    assert load.failures == []


def test_the_gateway_is_renewed_twice(gateway: LiveGateway) -> None:
    before = gateway.workers()
    load = asyncio.run(
        under_load(gateway, lambda: gateway.signal(signal.SIGHUP), lambda: gateway.signal(signal.SIGHUP), pause=5)
    )
    assert load.failures == []
    until(lambda: len(gateway.workers()) == 2, "the old ones have gone")
    assert not set(before) & set(gateway.workers())


def test_keys_are_rotated(gateway: LiveGateway, fleet: dict[str, InstanceProcess]) -> None:
    async def rotate() -> SteadyLoad:
        load = SteadyLoad(gateway.port, rate=RATE)
        load.start()
        await asyncio.sleep(1)
        gateway.publish(routes(fleet, keys=("the-key", "new-key")))
        await asyncio.sleep(1)
        load.key = "new-key"
        await asyncio.sleep(0.5)
        gateway.publish(routes(fleet, keys=("new-key",)))
        await asyncio.sleep(1)
        assert load.failures == []
        load.key = "the-key"
        await asyncio.sleep(0.5)
        await load.stop()
        return load

    assert any("401" in failure for failure in asyncio.run(rotate()).failures)


def test_traffic_is_shifted(gateway: LiveGateway, fleet: dict[str, InstanceProcess]) -> None:
    shares: list[float] = []

    async def shift() -> SteadyLoad:
        load = SteadyLoad(gateway.port, rate=RATE)
        load.start()
        for green in (0, 50, 100):
            gateway.publish(routes(fleet, green=green))
            await asyncio.sleep(0.3)
            load.answers.clear()
            await asyncio.sleep(2)
            shares.append(load.answers["green"] / load.total)
        await load.stop()
        return load

    assert asyncio.run(shift()).failures == []
    assert shares[0] == 0
    assert 0.4 < shares[1] < 0.6
    assert shares[2] == 1


@pytest.mark.redis
def test_redis_comes_and_is_killed(tmp_path: Path, fleet: dict[str, InstanceProcess]) -> None:
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server binary")
    address = tmp_path / "redis.sock"
    command = [str(binary), "--port", "0", "--unixsocket", str(address), "--save", ""]
    with live_gateway(tmp_path / "home", routes(fleet), SLIPWAY_REDIS_URL=f"unix://{address}") as gateway:
        servers: list[subprocess.Popen[bytes]] = []

        def begin() -> None:
            servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

        def end() -> None:
            servers[-1].kill()
            servers[-1].wait()

        load = asyncio.run(under_load(gateway, begin, end, begin, end))
    assert load.failures == []
