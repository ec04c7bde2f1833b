"""A loaded script takes its seats: connections to the front, a thread for each, and one that looks after them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from contextlib import suppress
from typing import Any, Callable, Optional

from . import wire
from .answers import fatal
from .attendant import Attendant
from .call import Call
from .logs import RecordPipe
from .loop_seat import LoopAttendant
from .rendezvous import Rendezvous
from .scorer import Scorer
from .seat import FrontGone, Seat
from .settings import Settings
from .ticker import Ticker
from .wire import Offer

logger = logging.getLogger("azmlinfsrv")


def make_offer(scorer: Scorer, settings: Settings, *, documents: Any, has_own_logging: bool) -> Offer:
    kind, at_once = wire.PLAIN, 1
    if scorer.is_async:
        kind, at_once = wire.AWAITING, settings.max_concurrent
    elif settings.batch_max_size > 1 and scorer.can_batch:
        kind, at_once = wire.BATCHING, settings.batch_max_size
    return Offer(kind, at_once, scorer.adapter.is_raw, logger.getEffectiveLevel(), has_own_logging, documents)


class Serving:
    """Of one worker. `loop` is the one that init() was awaited on, if it was."""

    def __init__(
        self,
        scorer: Scorer,
        offer: Offer,
        rendezvous: Rendezvous,
        settings: Settings,
        *,
        records: RecordPipe,
        loop: Any,
    ) -> None:
        self._scorer = scorer
        self._records = records
        self._loop: Optional[asyncio.AbstractEventLoop] = loop
        count = 1 if offer.kind == wire.AWAITING else settings.max_concurrent
        self._seats = [
            Seat(rendezvous, number, offer, scorer.note_plain, is_busy_polling=settings.is_busy_polling)
            for number in range(count)
        ]
        self._ticker = Ticker(scorer.watchdog, flush=self._flush, flush_lines=records.flush, pulse=self._beat)

    def run(self, on_ready: Callable[[], None]) -> None:
        """Until the front says goodbye. run() is called in this thread first, which must be the main one."""
        scorer = self._scorer
        scorer.watchdog.install()
        scorer.watchdog.on_expired = self._give_up
        signal.signal(signal.SIGTERM, lambda number, frame: None)  # the front says when nothing is left to do
        for seat in self._seats:
            seat.on_idle = self._ticker.flush_if_dozing
            seat.on_next = self._ticker.stand_in
            seat.sit_down()
        os.register_at_fork(after_in_child=self._forget)
        gc.collect()
        gc.freeze()  # what init() loaded stays; to look through it again and again costs calls their time
        on_ready()
        self._ticker.start()
        for seat in self._seats[1:]:
            name = "run-%d" % seat.number
            threading.Thread(target=Attendant(seat, scorer).serve, name=name, daemon=True).start()
        if scorer.is_async:
            assert self._loop is not None  # noqa: S101
            LoopAttendant(self._seats[0], scorer, self._loop).serve()
        else:
            Attendant(self._seats[0], scorer).serve()
        self._records.flush()

    def _flush(self) -> None:
        self._records.flush()
        for seat in self._seats:
            with suppress(FrontGone):  # its own thread will notice
                seat.flush()

    def _beat(self) -> None:
        with suppress(FrontGone):
            self._seats[0].send(wire.encode(wire.PULSE))

    def _forget(self) -> None:
        """In a child that the user's code forked: it must not keep the front believing that this worker lives."""
        for seat in self._seats:
            seat.forget()

    def _give_up(self, call: Call) -> None:
        """WORKER_TIMEOUT: answer for the call, then end the process; the supervisor starts another."""
        logger.error("run() exceeded the worker's time limit; the worker is replaced.")
        with suppress(FrontGone):
            call.seat.answer(call, fatal(500))
        self._records.flush()
        os._exit(1)
