"""The thread behind a seat: takes its calls one after the other, or batch by batch, and answers them."""

from __future__ import annotations

import logging

from .call import Call
from .http.response import HttpResponse
from .scorer import Scorer
from .seat import FrontGone, Seat

logger = logging.getLogger("azmlinfsrv")


class Attendant:
    """Answers the calls of one seat in the thread that calls `serve`."""

    def __init__(self, seat: Seat, scorer: Scorer) -> None:
        self.seat = seat
        self._scorer = scorer

    def serve(self) -> None:
        """Until the front says goodbye."""
        seat = self.seat
        while not seat.is_over:
            try:
                self._answer_calls()
            except FrontGone:
                seat.sit_down_again()

    def _answer_calls(self) -> None:
        seat, scorer = self.seat, self._scorer
        while True:
            work = seat.next_work()
            if work is None:
                return
            calls, is_batch = work
            for call, answer in scorer.execute_all(calls, is_batch=is_batch):
                if isinstance(answer, bytes):
                    seat.answer_plainly(call, answer)
                    continue
                seat.answer(call, answer)
                if answer.chunks is not None:
                    self._stream(call, answer)

    def _stream(self, call: Call, response: HttpResponse) -> None:
        is_whole = False
        self._scorer.watchdog.begin_other()
        try:
            if call.request.method != "HEAD":
                for chunk in self._scorer.chunks(call, response):
                    self.seat.send_chunk(call, chunk)
                    if not self.seat.wait_for_room(call):
                        return
            is_whole = True
        except FrontGone:
            raise
        except Exception:
            logger.exception("Encountered Exception while streaming")
        finally:
            self._scorer.watchdog.end_other()
            if response.close is not None:
                response.close()
            self.seat.end_stream(call, is_whole=is_whole)
