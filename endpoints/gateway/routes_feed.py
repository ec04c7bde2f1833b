"""Route tables that arrive by Redis are laid on disk, where the workers find them; the higher version wins.

Run by the master. Without Redis the file alone rules.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from endpoints.gateway.routes_watch import BadRoutes, read_table
from endpoints.spec.routes import CHANNEL

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
LOOK_SECONDS = 5.0


def keep_newer(file: Path, content: bytes) -> bool:
    """Write the table to disk if it is newer than the one there. Raises BadRoutes."""
    version = read_table(content).version
    try:
        if read_table(file.read_bytes()).version >= version:
            return False
    except (OSError, BadRoutes):
        pass  # nothing usable there
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(file)
    return True


class RoutesFeed:
    """Follows the channel, and looks at the key whenever the connection is new or nothing was heard for a while."""

    def __init__(self, redis: Redis, file: Path) -> None:
        self._redis = redis
        self._file = file

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                await self._follow()
            except (RedisError, OSError) as error:
                logger.debug("no routes by Redis: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(CHANNEL)
            while True:
                await self._look()
                await subscription.get_message(timeout=LOOK_SECONDS)

    async def _look(self) -> None:
        content = await self._redis.get(CHANNEL)
        if not isinstance(content, bytes):
            return
        try:
            keep_newer(self._file, content)
        except BadRoutes as bad:
            logger.error("the route table in Redis is not used: %s", bad)
