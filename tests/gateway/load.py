"""Steady load from keep-alive connections, strict about it: what is neither 200 nor whole is a failure."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress


class SteadyLoad:
    """`rate` requests a second over `connections`; a connection is opened anew only when the gateway said so or closed
    it before a request was sent."""

    def __init__(
        self, port: int, *, rate: float, connections: int = 16, key: str = "the-key", path: str = "/sample/score"
    ) -> None:
        self.key = key
        self.answers: Counter[str] = Counter()  # by deployment
        self.failures: list[str] = []
        self._port = port
        self._path = path
        self._pause = connections / rate
        self._connections = connections
        self._is_over = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._connections)]

    async def stop(self) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def _client(self) -> None:
        pair = None
        due = time.monotonic()
        while not self._is_over:
            due = max(due + self._pause, time.monotonic() - 1)
            if pair is None or pair[0].at_eof():
                pair = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                pair = await self._ask(*pair)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append(repr(error))
                pair = None
            await asyncio.sleep(max(0, due - time.monotonic()))
        if pair is not None:
            pair[1].close()
            with suppress(OSError):
                await pair[1].wait_closed()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        head = f"POST {self._path} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {self.key}\r\n"
        writer.write(head.encode() + b"content-length: 2\r\n\r\n{}")
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(answer.partition("content-length: ")[2].split("\r\n")[0]))
        if not answer.startswith("http/1.1 200"):
            self.failures.append(answer.split("\r\n")[0] + body.decode())
        self.answers[answer.partition("azureml-model-deployment: ")[2].split("\r\n")[0]] += 1
        if "connection: close" in answer:
            writer.close()
            return None
        return reader, writer
