"""Pairs of answers to their Redis stream, from the master. They may be lost; they never wait in front of a counter."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from redis.asyncio import Redis
from redis.exceptions import RedisError

from endpoints.spec.pairs import STREAM

logger = logging.getLogger(__name__)

MAX_WAITING_BYTES = 8 * 1024 * 1024
MAX_ENTRIES = 128  # of half a MiB at most: what Redis is asked to hold while nobody takes them
PAUSE_SECONDS = 1.0


class PairRoad:
    """Hands batches on while Redis answers, and drops them while it does not."""

    def __init__(self, redis: Redis | None) -> None:
        self._redis = redis
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._has_work = asyncio.Event()
        self.batches_sent = 0
        self.batches_dropped = 0

    def take(self, batch_id: str, encoded: bytes) -> None:
        """From a worker. What there is no room for is the oldest."""
        self._waiting.append((batch_id, encoded))
        self._waiting_bytes += len(encoded)
        while self._waiting_bytes > MAX_WAITING_BYTES:
            self._next()
            self.batches_dropped += 1
        self._has_work.set()

    def _next(self) -> tuple[str, bytes]:
        batch_id, encoded = self._waiting.popleft()
        self._waiting_bytes -= len(encoded)
        return batch_id, encoded

    async def run(self) -> None:
        """Hand over for ever."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self._waiting:
                if not await self._send(*self._next()):
                    self.batches_dropped += 1
                    await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, batch_id: str, encoded: bytes) -> bool:
        if self._redis is None:
            return False
        try:
            entry = {"id": batch_id, "pairs": encoded}
            await self._redis.xadd(STREAM, entry, maxlen=MAX_ENTRIES, approximate=False)  # type: ignore[arg-type]
        except (RedisError, OSError) as error:
            logger.debug("pairs of answers are dropped: %s", error)
            return False
        self.batches_sent += 1
        return True
