"""Whether the gateways' counts arrive: every gateway leaves a sign in Redis, and takes it away when it is stopped.

An idle gateway sends no counts, so their absence alone says nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from endpoints.spec.counters import HEARTBEATS, STREAM

logger = logging.getLogger(__name__)

FRESH_S = 15
# A gateway that has been silent for so long is taken for gone.
GONE_S = 600


def are_counts_fresh(redis: Redis, *, now: datetime) -> bool:
    """Every gateway there is has been heard of just now, and what they counted has been taken."""
    try:
        beats = cast(dict[bytes, bytes], redis.hgetall(HEARTBEATS))
        oldest = cast(list[tuple[bytes, object]], redis.xrange(STREAM, count=1))
    except RedisError as error:
        logger.debug("No word from the gateways: %s", error)
        return False
    ages = [now.timestamp() - int(at) / 1000 for at in beats.values() if at.isdigit()]
    lately = [age for age in ages if age < GONE_S]
    if not lately or max(lately) > FRESH_S:
        return False
    return not oldest or now.timestamp() - int(oldest[0][0].partition(b"-")[0]) / 1000 < FRESH_S
