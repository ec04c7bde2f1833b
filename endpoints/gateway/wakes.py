"""The master's word to the worker: which sleepers are asked for, and that this gateway is there and its counts arrive.

A wake that Redis does not take is dropped: whoever waits asks again in a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from endpoints.spec.counters import HEARTBEATS
from endpoints.spec.wakes import MOST_KEPT, WAKES, Wake

logger = logging.getLogger(__name__)

BEAT_SECONDS = 3.0
# Several processes ask for the same sleeper at the same time.
SAME_SECONDS = 0.5


class Wakes:
    """Takes wakes from workers and lays them where the studio's worker waits for them."""

    def __init__(self, redis: Redis, name: str, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._name = name
        self._wall_clock = wall_clock
        self._asked: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], int] = {}
        self._has_work = asyncio.Event()

    def ask(self, endpoint: str, deployment: str, waiting: int) -> None:
        """Requests wait for this deployment in one process."""
        key, now = (endpoint, deployment), self._wall_clock()
        if now - self._asked.get(key, 0.0) >= SAME_SECONDS:
            self._asked[key] = now
            self._waiting[key] = waiting
            self._has_work.set()

    async def run(self) -> None:
        """Hand wakes over for ever."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            asked, self._waiting = self._waiting, {}
            now_ms = int(self._wall_clock() * 1000)
            wakes = [
                Wake(endpoint=endpoint, deployment=deployment, asked_at_ms=now_ms, waiting=waiting)
                for (endpoint, deployment), waiting in asked.items()
            ]
            with suppress(RedisError, OSError):
                async with self._redis.pipeline() as pipe:
                    pipe.rpush(WAKES, *map(msgspec.json.encode, wakes))
                    pipe.ltrim(WAKES, -MOST_KEPT, -1)
                    await pipe.execute()

    async def beat(self) -> None:
        """Say every few seconds that this gateway is there."""
        while True:
            with suppress(RedisError, OSError):
                await self._redis.hset(HEARTBEATS, self._name, str(int(self._wall_clock() * 1000)))
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """An orderly end: nobody waits for this gateway's counts any more."""
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._redis.hdel(HEARTBEATS, self._name)
