"""Blocking iterators read for an event loop. Standard library only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator


async def in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, each fetched off the event loop when it is asked for: nothing piles up in memory."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
