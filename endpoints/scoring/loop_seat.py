"""The seat of a script whose run() is awaited: many calls at once, on the main thread's event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Dict, Set

from .call import Call
from .http.response import HttpResponse
from .scorer import Scorer
from .seat import FrontGone, Seat
from .wire import WINDOW_BYTES

logger = logging.getLogger("azmlinfsrv")


class LoopAttendant:
    """Starts a task for every call that comes; the front lets in no more than may go on at once."""

    def __init__(self, seat: Seat, scorer: Scorer, loop: asyncio.AbstractEventLoop) -> None:
        self.seat = seat
        self._scorer = scorer
        self._loop = loop
        self._rooms: Dict[int, asyncio.Event] = {}  # of streams: set when the client has taken some, or has gone
        self._tasks: Set[Any] = set()
        self._is_front_gone = False

    def serve(self) -> None:
        """Until the front says goodbye. What goes on is then cut off."""
        while not self.seat.is_over:
            self._loop.run_until_complete(self._attend())
            if self._is_front_gone:
                self.seat.sit_down_again()

    async def _attend(self) -> None:
        self._is_front_gone = False
        self._ended = asyncio.Event()
        descriptor = self.seat.socket.fileno()
        self._loop.add_reader(descriptor, self._read)
        try:
            self._begin_calls()
            await self._ended.wait()
        finally:
            self._loop.remove_reader(descriptor)

    def _read(self) -> None:
        try:
            if not self.seat.receive_at_once():
                return
            self.seat.take_in()
        except FrontGone:
            self._is_front_gone = True
        self._begin_calls()
        for room in self._rooms.values():
            room.set()
        if self.seat.is_over or self._is_front_gone:
            self._ended.set()

    def _begin_calls(self) -> None:
        for work in self.seat.take_work():
            for call in work.calls:
                task = self._loop.create_task(self._answer(call))
                self._tasks.add(task)
                task.add_done_callback(self._ended_task)

    def _ended_task(self, task: Any) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("Answering a request failed", exc_info=task.exception())

    async def _answer(self, call: Call) -> None:
        self._scorer.watchdog.begin_other()
        try:
            response = await self._scorer.execute_async(call)
            self.seat.answer(call, response)
            if response.chunks is not None:
                await self._stream(call, response)
        except FrontGone:
            return
        finally:
            self._scorer.watchdog.end_other()

    async def _stream(self, call: Call, response: HttpResponse) -> None:
        is_whole = False
        self._rooms[call.number] = asyncio.Event()
        try:
            if call.request.method != "HEAD":
                async for chunk in self._scorer.chunks_async(call, response):
                    self.seat.send_chunk(call, chunk)
                    if not await self._is_wanted(call):
                        return
            is_whole = True
        except FrontGone:
            raise
        except Exception:
            logger.exception("Encountered Exception while streaming")
        finally:
            del self._rooms[call.number]
            closer = getattr(response.chunks, "aclose", None)
            if closer is not None and getattr(response.chunks, "is_async", True):
                await closer()
            self.seat.end_stream(call, is_whole=is_whole)

    async def _is_wanted(self, call: Call) -> bool:
        """Wait for a slow client without holding up the loop. False when it has gone."""
        room = self._rooms[call.number]
        while call.under_way_bytes > WINDOW_BYTES and not call.is_gone and not self._is_front_gone:
            room.clear()
            await room.wait()
        return not (call.is_gone or self._is_front_gone)
