"""Counter batches to the Redis stream, from the master, beside everything else. What is not taken is kept on disk."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from redis.asyncio import Redis
from redis.exceptions import RedisError

from endpoints.gateway.spill import forget_spilled, spill, take_spilled
from endpoints.spec.counters import KEPT_SECONDS, STREAM
from endpoints.spec.home import Home

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
MAX_ENTRIES = 40_000  # ten minutes of thirty processes and their successors


class HandOver:
    """Takes batches from workers and does not lose them: memory first, disk as soon as Redis does not answer."""

    def __init__(self, redis: Redis | None, home: Home) -> None:
        self._redis = redis
        self._home = home
        self._waiting: deque[tuple[str, bytes]] = deque(take_spilled(home))
        self._on_disk = {batch_id for batch_id, _ in self._waiting}
        self._has_work = asyncio.Event()
        if self._waiting:
            self._has_work.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, batch_id: str, encoded: bytes) -> None:
        """From a worker."""
        self._waiting.append((batch_id, encoded))
        while len(self._waiting) > MAX_ENTRIES:
            gone, _ = self._waiting.popleft()
            self._forget(gone)
        self._has_work.set()

    async def run(self) -> None:
        """Hand over for ever."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self._waiting:
                if not await self._send(*self._waiting[0]):
                    self._keep()
                    await asyncio.sleep(RETRY_SECONDS)

    async def _send(self, batch_id: str, encoded: bytes) -> bool:
        if self._redis is None:
            return False
        try:
            await self._redis.xadd(STREAM, {"id": batch_id, "batch": encoded}, maxlen=MAX_ENTRIES, approximate=True)
        except (RedisError, OSError) as error:
            logger.debug("counters are kept: %s", error)
            return False
        if self._waiting and self._waiting[0][0] == batch_id:
            self._waiting.popleft()
        self._forget(batch_id)
        return True

    def _keep(self) -> None:
        """Write what is not on disk yet; drop what has become too old there and here."""
        for batch_id, encoded in self._waiting:
            if batch_id not in self._on_disk:
                spill(self._home, batch_id, encoded)
                self._on_disk.add(batch_id)
        while len(self._waiting) > KEPT_SECONDS * 2 and self._redis is None:
            gone, _ = self._waiting.popleft()
            self._forget(gone)

    def close(self) -> None:
        """The master ends: all that is left goes to disk."""
        self._keep()

    def _forget(self, batch_id: str) -> None:
        if batch_id in self._on_disk:
            self._on_disk.discard(batch_id)
            forget_spilled(self._home, batch_id)
