"""One call of run(): the request it answers, and where it stands, for the threads that watch it."""

from __future__ import annotations

from typing import Any

from .http.request import HttpRequest


class Call:
    """`seat` is where it is answered, `number` the front's, unique there.

    Times are of `time.perf_counter`, which front and workers share.
    """

    elapsed_s = 0.0  # in run()
    entered_at = 0.0
    was_interrupted = False
    is_reported = False
    is_gone = False  # nobody waits for the rest of the stream
    under_way_bytes = 0  # of its stream, not yet taken by the client

    def __init__(self, seat: Any, number: int, request: HttpRequest, request_id: str, received_at: float) -> None:
        self.seat = seat
        self.number = number
        self.request = request
        self.request_id = request_id
        self.received_at = received_at
