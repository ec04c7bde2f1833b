"""The two servers that always hand calls over: to an event loop for `async def run`, in batches to run_batch()."""

from __future__ import annotations

import asyncio
import logging
import queue
import socket
import threading
import time
from collections import deque
from typing import Any, Deque, List, Sequence

from .app import App
from .call import Call
from .http.response import LAST_CHUNK, HttpResponse
from .server import Server

logger = logging.getLogger("azmlinfsrv")


class AsyncServer(Server):
    """run() is awaited on the main thread's event loop, up to `max_concurrent` at once. The relief thread polls."""

    _always_hands_over = True

    def __init__(self, app: App, listeners: Sequence[socket.socket], *, loop: Any, **options: Any) -> None:
        self._concurrency = options.pop("max_concurrent", 1)
        super().__init__(app, listeners, max_concurrent=1, **options)
        self._loop: asyncio.AbstractEventLoop = loop
        self._tasks: List[Any] = []
        self._waiting: Deque[Call] = deque()

    def serve(self) -> None:
        self._begin()
        self._ended = asyncio.Event()
        self._loop.run_until_complete(self._ended.wait())
        self._finish()

    def _end(self) -> None:
        super()._end()
        self._loop.call_soon_threadsafe(self._ended.set)

    def _dispatch(self, call: Call) -> bool:
        self._hand_over(call)
        self._loop.call_soon_threadsafe(self._start, call)
        return True

    def _start(self, call: Call) -> None:
        if len(self._tasks) >= self._concurrency:
            self._waiting.append(call)
            return
        task = self._loop.create_task(self._run(call))
        self._tasks.append(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: Any) -> None:
        self._tasks.remove(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("Answering a request failed", exc_info=task.exception())
        if self._waiting:
            self._start(self._waiting.popleft())

    async def _run(self, call: Call) -> None:
        connection = call.connection
        try:
            if connection.is_gone():
                connection.must_close = True
                return
            response = await self.app.execute_async(call)
            keep_alive = call.request.keep_alive and not self._stop_asked
            is_http10 = call.request.is_http10
            if connection.answer(response, method=call.request.method, keep_alive=keep_alive, is_http10=is_http10):
                await self._stream_async(call, response)
        except BaseException:
            connection.must_close = True
            raise
        finally:
            self._give_back(connection)

    async def _stream_async(self, call: Call, response: HttpResponse) -> None:
        connection, is_http10 = call.connection, call.request.is_http10
        try:
            async for chunk in self.app.chunks_async(call, response):
                if not await self._send(connection, connection.frame(chunk, is_http10=is_http10)):
                    break
            else:
                if not is_http10:
                    await self._send(connection, LAST_CHUNK)
        except Exception:
            logger.exception("Encountered Exception while streaming")
            connection.must_close = True
        finally:
            closer = getattr(response.chunks, "aclose", None)
            if closer is not None and getattr(response.chunks, "is_async", True):
                await closer()

    async def _send(self, connection: Any, data: bytes) -> bool:
        """Wait for a slow client without holding up the loop."""
        connection.send(data)
        if connection.pending:
            rest, connection.pending = connection.pending, b""
            return bool(await self._loop.run_in_executor(None, connection.send_waiting, rest))
        return not connection.must_close


class BatchServer(Server):
    """Calls that wait at the same time are answered by one run_batch()."""

    _always_hands_over = True

    def __init__(
        self, app: App, listeners: Sequence[socket.socket], *, max_size: int, max_wait_ms: float, **options: Any
    ) -> None:
        super().__init__(app, listeners, **options)
        self._max_size = max_size
        self._max_wait_s = max_wait_ms / 1000
        self._gathering = threading.Lock()

    def _run_queued(self, call: Call) -> None:
        calls = []
        for gathered in self._gather(call):
            if gathered.connection.is_gone():
                gathered.connection.must_close = True
                self._give_back(gathered.connection)
            else:
                calls.append(gathered)
        if not calls:
            return
        for answered, response in zip(calls, self.app.execute_batch(calls)):  # noqa: B905
            self._answer_call(answered, response)
            self._give_back(answered.connection)

    def _gather(self, call: Call) -> List[Call]:
        """More calls, until there are enough or the first has waited long enough."""
        calls = [call]
        with self._gathering:
            deadline = time.monotonic() + self._max_wait_s
            while len(calls) < self._max_size:
                try:
                    following = self._calls.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    break
                if following is None:
                    self._calls.put(None)
                    break
                calls.append(following)
        return calls
