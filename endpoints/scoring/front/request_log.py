"""Log lines about requests that no worker sees. Where the user's logging.json is in force, a worker writes them."""

from __future__ import annotations

from typing import Optional

from .. import wire
from ..logs import RecordPipe
from ..wire import Offer
from .links import Links


class RequestLog:
    def __init__(self, records: RecordPipe, links: Links) -> None:
        self._records = records
        self._links = links
        self._offer: Optional[Offer] = None

    def learn(self, offer: Offer) -> None:
        """How the workers log."""
        self._offer = offer

    def line(self, level: int, message: str, request_id: str) -> None:
        if self._offer is None or level < self._offer.log_level:
            return
        link = self._links.any() if self._offer.has_own_logging else None
        if link is None:
            self._records.defer([(message, request_id)], level)
        else:
            self._links.put(link, wire.encode(wire.LINE, level, message, request_id))
