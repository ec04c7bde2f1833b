"""What the database holds in the end is what the client counted itself, whoever is killed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import need, redis_binary
from tests.gateway.live import ROOT, InstanceProcess, LiveGateway, endpoint, live_gateway, serving, until
from tests.gateway.load import SteadyLoad

pytestmark = [pytest.mark.slow, pytest.mark.redis]
RATE = 150


class Killable:
    """A process that is killed and begun again."""

    def __init__(self, *command: str, **environ: str) -> None:
        self._command, self._environ = command, {**os.environ, **environ}
        self.begin()

    def begin(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._environ, stdout=subprocess.DEVNULL)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def again(self) -> None:
        self.end()
        self.begin()


class Studio:
    """Gateway, Redis and intake, with a database to look into."""

    def __init__(self, gateway: LiveGateway, redis: Killable, taker: Killable) -> None:
        self.gateway, self.redis, self.taker = gateway, redis, taker
        self._database = gateway.home.root / "studio.sqlite3"

    def counted(self) -> dict[str, int]:
        """Requests by deployment in the finest rows."""
        with closing(sqlite3.connect(self._database, timeout=20)) as database:
            rows = database.execute(
                "SELECT deployment, SUM(requests) FROM endpoints_trafficrollup WHERE grain_s = 10 GROUP BY deployment"
            )
            return {name: count for name, count in rows if name}

    def is_ready(self) -> bool:
        try:
            return self.counted() == {}
        except sqlite3.OperationalError:
            return False


@contextmanager
def studio(root: Path) -> Iterator[Studio]:
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server binary")
    address = root / "redis.sock"
    url = f"unix://{address}"
    instances = [InstanceProcess("blue-1"), InstanceProcess("green-1")]
    redis = Killable(str(binary), "--port", "0", "--unixsocket", str(address), "--save", "")
    taker = Killable(
        *(sys.executable, "-m", "tests.telemetry.taker"),
        SLIPWAY_HOME=str(root / "home"),
        SLIPWAY_REDIS_URL=url,
        DJANGO_SETTINGS_MODULE="studio.settings",
    )
    try:
        with live_gateway(root / "home", SLIPWAY_REDIS_URL=url) as gateway:
            gateway.publish(
                endpoint(
                    serving(instances[0]),
                    serving(instances[1], name="green"),
                    traffic={"blue": 70, "green": 30},
                    key_digests=(hashlib.sha256(b"the-key").hexdigest(),),
                )
            )
            found = Studio(gateway, redis, taker)
            until(found.is_ready, "the database is there")
            yield found
    finally:
        for one in (taker, redis):
            one.end()
        for instance in instances:
            instance.kill()


async def under_load(gateway: LiveGateway, *steps: object, pause: float) -> SteadyLoad:
    load = SteadyLoad(gateway.port, rate=RATE)
    await asyncio.sleep(0.5)
    load.start()
    await asyncio.sleep(pause)
    for step in steps:
        await asyncio.to_thread(step)  # type: ignore[arg-type]
        await asyncio.sleep(pause)
    await load.stop()
    return load


@pytest.mark.parametrize("victim", ["intake", "redis", "both"])
def test_a_kill_loses_and_doubles_no_request(victim: str, tmp_path: Path) -> None:
    with studio(tmp_path) as one:
        steps = {
            "intake": [one.taker.again] * 4,
            "redis": [one.redis.again] * 3,
            "both": [one.redis.end, one.taker.again, one.redis.begin, one.taker.again],
        }
        load = asyncio.run(under_load(one.gateway, *steps[victim], pause=1.3))
        assert load.failures == []
        until(lambda: sum(one.counted().values()) >= load.total, "all is counted")
        assert one.counted() == dict(load.answers)
        assert one.gateway.stop() == 0
        one.gateway.start()
        one.taker.again()
        assert one.counted() == dict(load.answers)


def test_a_gateway_that_ends_while_redis_is_away_hands_over_after_its_next_start(tmp_path: Path) -> None:
    with studio(tmp_path) as one:
        one.redis.end()
        load = asyncio.run(under_load(one.gateway, pause=1.5))
        assert one.gateway.stop() == 0
        one.redis.begin()
        one.gateway.start()
        until(lambda: sum(one.counted().values()) >= load.total, "all is counted")
        assert one.counted() == dict(load.answers)
