"""Counter batches to the Redis stream, from the master, beside everything else.

A batch in the stream is kept here until it has been taken from there: whoever takes it knows the ids it has seen, so
sending it twice does no harm. What the stream does not take, and what nobody has taken when the master ends, is kept
on disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from endpoints.gateway.spill import forget_spilled, spill, take_spilled
from endpoints.spec.counters import KEPT_SECONDS, STREAM
from endpoints.spec.home import Home

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
LOOK_SECONDS = 2.0
MAX_ENTRIES = 40_000  # ten minutes of thirty processes and their successors
# Names the life of what Redis holds: it is gone, or another one, when Redis lost its memory.
LIFE = f"{STREAM}:life"


class HandOver:
    """Takes batches from workers and does not lose them: memory first, disk as soon as Redis does not answer."""

    def __init__(self, redis: Redis | None, home: Home) -> None:
        self._redis = redis
        self._home = home
        self._waiting: deque[tuple[str, bytes]] = deque(take_spilled(home))
        self._on_disk = {batch_id for batch_id, _ in self._waiting}
        # In the stream and not taken yet: (place in the stream, when it was put there, id, batch), oldest first.
        self._sent: deque[tuple[tuple[int, int], float, str, bytes]] = deque()
        self._life = b""
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
            await self._wait_for_work()
            self._has_work.clear()
            if self._sent and not self._waiting:
                await self._look()
            while self._waiting:
                if not await self._send(*self._waiting[0]):
                    self._keep()
                    await asyncio.sleep(RETRY_SECONDS)

    async def _wait_for_work(self) -> None:
        """Until there is something to send; while something is not taken yet, only for a moment."""
        try:
            async with asyncio.timeout(LOOK_SECONDS if self._sent else None):
                await self._has_work.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        """See what has been taken, and whether Redis still knows what it was given."""
        if self._redis is None:
            return
        try:
            _, life, oldest = await self._ask(self._redis)
        except (RedisError, OSError) as error:
            logger.debug("nothing is known of the counters that were sent: %s", error)
            return
        self._live(life)
        self._confirm(oldest)

    async def _send(self, batch_id: str, encoded: bytes) -> bool:
        if self._redis is None:
            return False
        try:
            _, life, place, oldest = await self._ask(self._redis, {"id": batch_id, "batch": encoded})
        except (RedisError, OSError) as error:
            logger.debug("counters are kept: %s", error)
            return False
        if self._waiting and self._waiting[0][0] == batch_id:
            self._waiting.popleft()
        self._live(life)
        self._sent.append((_place(place), time.monotonic(), batch_id, encoded))
        self._confirm(oldest)
        return True

    async def _ask(self, redis: Redis, entry: dict[Any, Any] | None = None) -> list[Any]:
        """In one step: name this life of Redis if nobody has, add the entry, and see which one is the oldest."""
        async with redis.pipeline(transaction=True) as step:
            step.setnx(LIFE, uuid4().hex)
            step.get(LIFE)
            if entry is not None:
                step.xadd(STREAM, entry, maxlen=MAX_ENTRIES, approximate=True)
            step.xrange(STREAM, count=1)
            return list(await step.execute())

    def _live(self, life: bytes) -> None:
        """Send everything again that a Redis was given which has lost its memory since."""
        if self._life not in {b"", life}:
            self._waiting.extendleft((batch_id, encoded) for _, _, batch_id, encoded in reversed(self._sent))
            self._sent.clear()
            self._has_work.set()
        self._life = life

    def _confirm(self, oldest: list[Any]) -> None:
        """All that stood before the oldest entry of the stream has been taken; what is too old nobody will take."""
        first = _place(oldest[0][0]) if oldest else None
        too_old = time.monotonic() - KEPT_SECONDS
        while self._sent and (first is None or self._sent[0][0] < first or self._sent[0][1] < too_old):
            self._forget(self._sent.popleft()[2])

    def _keep(self) -> None:
        """Write what is not on disk yet; drop what has become too old there and here."""
        for batch_id, encoded in (*((batch_id, encoded) for _, _, batch_id, encoded in self._sent), *self._waiting):
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


def _place(entry_id: bytes) -> tuple[int, int]:
    """An entry's id as what it is ordered by."""
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)
