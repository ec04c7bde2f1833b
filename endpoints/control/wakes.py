"""Wakes from the gateways' list, as they come: each is handed on to whoever may wake a deployment.

A thread of the worker waits at the list, so that a sleeper is woken at once and not by the next sweep.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import cast

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.spec.wakes import TOO_OLD_S, WAKES, Wake

logger = logging.getLogger(__name__)

WAIT_S = 2
RETRY_S = 1.0


def listen(
    connect: Callable[[], Redis], act: Callable[[Wake], None], is_over: threading.Event, *, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Take wakes and act on them until `is_over`. Redis may come and go meanwhile; a failed wake is asked for again."""
    while not is_over.is_set():
        try:
            redis = connect()
            try:
                _listen(redis, act, is_over, clock)
            finally:
                redis.close()
        except RedisError as error:
            logger.debug("No wakes: %s", error)
            is_over.wait(RETRY_S)


def _listen(redis: Redis, act: Callable[[Wake], None], is_over: threading.Event, clock: Clock) -> None:
    while not is_over.is_set():
        taken = cast(tuple[bytes, bytes] | None, redis.blpop([WAKES], timeout=WAIT_S))
        if taken is None:
            continue
        wake = read(taken[1], now_s=clock.now().timestamp())
        if wake is None:
            continue
        try:
            act(wake)
        except Exception:
            logger.exception("Could not wake %s/%s", wake.endpoint, wake.deployment)


def read(entry: bytes, *, now_s: float) -> Wake | None:
    """The entry, if it can be read and somebody may still wait for it."""
    try:
        wake = msgspec.json.decode(entry, type=Wake)
    except msgspec.DecodeError as error:
        logger.error("A wake cannot be read and is dropped: %s", error)
        return None
    return wake if abs(now_s - wake.asked_at_ms / 1000) < TOO_OLD_S else None
