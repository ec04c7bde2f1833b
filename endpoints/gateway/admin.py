"""The master's own small port on loopback: `/metrics` for Prometheus and `/healthz`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from endpoints.gateway.metrics import CONTENT_TYPE

READ_SECONDS = 5.0


class Admin:
    """Answers GET on two paths, one request a connection."""

    def __init__(self, metrics: Callable[[], str], health: Callable[[], str]) -> None:
        self._pages = {b"/metrics": (CONTENT_TYPE, metrics), b"/healthz": ("application/json", health)}

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen. Raises OSError."""
        return await asyncio.start_server(self._answer, host, port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._page(head))
            await writer.drain()
        writer.close()

    def _page(self, head: bytes) -> bytes:
        words = head.split(b" ", 2)
        page = self._pages.get(words[1].partition(b"?")[0]) if len(words) == 3 and words[0] == b"GET" else None
        status, kind, text = (
            ("404 Not Found", "text/plain", "not found\n") if page is None else ("200 OK", page[0], page[1]())
        )
        body = text.encode()
        start = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        return start.encode() + body
