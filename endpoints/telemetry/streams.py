"""Streams of batches from the gateways: read in pieces, counted, and only then removed; each batch counted once.

Whoever is killed in between leaves the batches to the next reader, who knows them by the receipts that were written in
the transaction that counted them. Knows no meaning of a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeAlias, TypeVar, cast

import msgspec
from django.db import DataError
from redis import Redis
from redis.exceptions import RedisError

from endpoints.models import CounterReceipt

logger = logging.getLogger(__name__)

# Its id in the stream, and its fields.
Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]


class Batch(Protocol):
    """What comes whole or not at all; the id is the same however often it comes."""

    @property
    def id(self) -> str: ...


B = TypeVar("B", bound=Batch)
# Adds batches, by their ids, in one transaction; returns how much was new.
Count: TypeAlias = Callable[[Mapping[str, B]], int]


@dataclass(frozen=True, slots=True)
class BatchStream(Generic[B]):
    """One stream. field: where an entry has its batch. at_once: how many are read. noun: what is in them."""

    key: str
    field: bytes
    at_once: int
    decode: Callable[[bytes], B]
    noun: str

    def drain(self, redis: Redis, count: Count[B]) -> tuple[int, bool]:
        """Take what the stream holds; how much was new, and whether it is empty. A Redis that is away means: later."""
        taken = 0
        try:
            while entries := cast(list[Entry], redis.xrange(self.key, count=self.at_once)):
                taken += self.take((fields.get(self.field, b"") for _, fields in entries), count)
                redis.xdel(self.key, *(entry_id for entry_id, _ in entries))
        except RedisError as error:
            logger.debug("The %s stay where they are: %s", self.noun, error)
            return taken, False
        return taken, True

    def take(self, encoded: Iterable[bytes], count: Count[B]) -> int:
        """Count batches; returns how much was new.

        A batch the database cannot hold is dropped and named: it must not keep the others waiting for ever.
        """
        return self._counted({batch.id: batch for batch in map(self._decoded, encoded) if batch is not None}, count)

    def _counted(self, batches: Mapping[str, B], count: Count[B]) -> int:
        try:
            return count(batches)
        except (DataError, OverflowError) as error:
            if len(batches) > 1:
                return sum(self._counted({batch_id: batch}, count) for batch_id, batch in batches.items())
            logger.error("The %s %s cannot be stored and are dropped: %s", self.noun, *batches, error)
            return 0

    def _decoded(self, encoded: bytes) -> B | None:
        try:
            return self.decode(encoded)
        except msgspec.DecodeError as error:
            logger.error("A batch of %s cannot be read and is dropped: %s", self.noun, error)
            return None


def unseen(batches: Mapping[str, B], *, now: datetime) -> list[B]:
    """Those that were not counted before, noted as counted. Call it in the transaction that counts them."""
    known = set(CounterReceipt.objects.filter(pk__in=batches).values_list("pk", flat=True))
    new = [batch for batch_id, batch in batches.items() if batch_id not in known]
    CounterReceipt.objects.bulk_create([CounterReceipt(batch_id=batch.id, taken_at=now) for batch in new])
    return new
