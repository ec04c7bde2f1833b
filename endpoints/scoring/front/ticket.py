"""What a client waits for: a request on its way to a worker, or being answered by one."""

from __future__ import annotations

from typing import Any, Optional

from ..http.request import HttpRequest
from ..ids import Ids


class Ticket:
    """number: unique in this process. `connection` is whoever waits; `seat` where the call is, if it is anywhere."""

    number = 0
    sent_at = 0.0
    connection: Any = None
    seat: Optional[Any] = None
    is_chunked = False  # its answer is framed in chunks
    has_credit = False  # the worker waits when its stream is not taken
    untold_bytes = 0  # of its stream: taken by the client, not yet credited to the worker

    def __init__(self, request: HttpRequest, ids: Ids, received_at: float) -> None:
        self.request = request
        self.ids = ids
        self.received_at = received_at
