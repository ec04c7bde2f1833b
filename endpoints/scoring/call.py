"""One call of run(): the request it answers, and where it stands, for the threads that watch it."""

from __future__ import annotations

import threading
import time
from typing import Any

from .http.request import HttpRequest
from .ids import Ids


class Call:
    """`connection` is whatever the server has to answer to. Times are of `time.perf_counter`."""

    __slots__ = (
        "connection",
        "elapsed_s",
        "entered_at",
        "ids",
        "is_in_run",
        "is_reported",
        "received_at",
        "request",
        "thread_id",
        "was_interrupted",
    )

    def __init__(self, request: HttpRequest, ids: Ids) -> None:
        self.request = request
        self.ids = ids
        self.connection: Any = None
        self.received_at = time.perf_counter()
        self.entered_at = 0.0
        self.elapsed_s = 0.0
        self.thread_id = 0
        self.is_in_run = False
        self.was_interrupted = False
        self.is_reported = False

    def enter(self) -> None:
        """The user's code begins, in this thread."""
        self.thread_id = threading.get_ident()
        self.entered_at = time.perf_counter()
        self.is_in_run = True
