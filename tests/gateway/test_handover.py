"""A batch is kept until it has been taken from the stream, and sent again to a Redis that has forgotten it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from redis.exceptions import ConnectionError as NotThere

from endpoints.gateway.handover import HandOver
from endpoints.gateway.spill import take_spilled
from endpoints.spec.home import Home


class Memory:
    """Redis, as far as it is asked: a stream, and a name for its life."""

    def __init__(self) -> None:
        self.entries: dict[bytes, dict[str, Any]] = {}
        self.is_away = False
        self._life = b""
        self._added = 0

    def forget(self) -> None:
        self.entries, self._life = {}, b""

    def pipeline(self, *, transaction: bool) -> Step:
        assert transaction
        return Step(self)

    def add(self, entry: dict[str, Any]) -> bytes:
        self._added += 1
        place = b"%d-0" % self._added
        self.entries[place] = entry
        return place

    def name(self, life: str) -> bytes:
        self._life = self._life or life.encode()
        return self._life


class Step:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._answers: list[Any] = []

    async def __aenter__(self) -> Step:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def setnx(self, _: str, life: str) -> None:
        self._answers += [True, self._memory.name(life)]

    def get(self, _: str) -> None:
        pass

    def xadd(self, _: str, entry: dict[str, Any], **__: object) -> None:
        if not self._memory.is_away:
            self._answers.append(self._memory.add(entry))

    def xrange(self, _: str, *, count: int) -> None:
        self._answers.append(list(self._memory.entries.items())[:count])

    async def execute(self) -> list[Any]:
        if self._memory.is_away:
            raise NotThere
        return self._answers


def ids(memory: Memory) -> list[str]:
    return [entry["id"] for entry in memory.entries.values()]


async def hand_over(handover: HandOver, *batches: str) -> None:
    """Let it work until it rests."""
    for batch_id in batches:
        handover.take(batch_id, b"{}")
    task = asyncio.create_task(handover.run())
    await asyncio.sleep(0.02)
    task.cancel()


def test_a_redis_that_forgot_is_sent_again_what_nobody_took(tmp_path: Path) -> None:
    memory = Memory()
    handover = HandOver(memory, Home(tmp_path))  # type: ignore[arg-type]
    asyncio.run(hand_over(handover, "a-1", "a-2"))
    assert ids(memory) == ["a-1", "a-2"]
    memory.forget()
    asyncio.run(hand_over(handover, "a-3"))
    assert ids(memory) == ["a-3", "a-1", "a-2"]


def test_what_was_taken_is_not_sent_again(tmp_path: Path) -> None:
    memory = Memory()
    handover = HandOver(memory, Home(tmp_path))  # type: ignore[arg-type]
    asyncio.run(hand_over(handover, "a-1", "a-2"))
    memory.entries.clear()
    asyncio.run(hand_over(handover, "a-3"))
    memory.forget()
    asyncio.run(hand_over(handover, "a-4"))
    assert ids(memory) == ["a-4", "a-3"]


def test_what_nobody_took_goes_to_disk_when_the_master_ends(tmp_path: Path) -> None:
    memory = Memory()
    handover = HandOver(memory, Home(tmp_path))  # type: ignore[arg-type]
    asyncio.run(hand_over(handover, "a-1"))
    memory.is_away = True
    asyncio.run(hand_over(handover, "a-2"))
    handover.close()
    assert {batch_id for batch_id, _ in take_spilled(Home(tmp_path))} == {"a-1", "a-2"}


def test_what_comes_from_disk_leaves_it_only_when_it_was_taken(tmp_path: Path) -> None:
    memory = Memory()
    first = HandOver(memory, Home(tmp_path))  # type: ignore[arg-type]
    memory.is_away = True
    asyncio.run(hand_over(first, "a-1"))
    first.close()
    memory.is_away = False
    second = HandOver(memory, Home(tmp_path))  # type: ignore[arg-type]
    asyncio.run(hand_over(second))
    assert take_spilled(Home(tmp_path)) != []
    memory.entries.clear()
    asyncio.run(hand_over(second, "b-1"))
    assert take_spilled(Home(tmp_path)) == []
