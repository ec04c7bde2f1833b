"""GUIDs (version 4) as ASCII bytes: a random start, then counted on, at a tenth of uuid4's price."""

from __future__ import annotations

import os
from uuid import UUID

_IDS_A_START = 1 << 16


class RequestIds:
    """Call it for the next id. Unique, not secret: who knows one can guess its neighbours."""

    __slots__ = ("_last", "_left", "_prefix")

    def __init__(self) -> None:
        self._prefix = b""
        self._last = 0
        self._left = 0

    def __call__(self) -> bytes:
        if not self._left:
            self._start()
        self._left -= 1
        self._last += 1
        return b"%b%012x" % (self._prefix, self._last)

    def _start(self) -> None:
        start = str(UUID(bytes=os.urandom(16), version=4)).encode()
        self._prefix = start[:24]
        self._left = _IDS_A_START
        self._last = int(start[24:], 16) % (16**12 - _IDS_A_START)
