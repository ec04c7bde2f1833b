"""GUIDs (version 4) as ASCII bytes: a random start, then counted on, at a tenth of uuid4's price."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

_ENDINGS: Final = [b"%03x" % number for number in range(16**3)]
_STEMS_A_START: Final = 16


class RequestIds:
    """Call `take` for the next id. Unique, not secret: who knows one can guess its neighbours."""

    __slots__ = ("_at", "_left", "_number", "_prefix", "_stem")

    def __init__(self) -> None:
        self._prefix = b""
        self._number = 0
        self._left = 0  # of this start
        self._stem = b""
        self._at = len(_ENDINGS)

    def take(self) -> bytes:
        at = self._at
        if at == len(_ENDINGS):
            self._next_stem()
            at = 0
        self._at = at + 1
        return self._stem + _ENDINGS[at]

    def _next_stem(self) -> None:
        if not self._left:
            start = str(UUID(bytes=os.urandom(16), version=4)).encode()
            self._prefix = start[:24]
            self._left = _STEMS_A_START
            self._number = int(start[24:33], 16) % (16**9 - _STEMS_A_START)
        self._left -= 1
        self._number += 1
        self._stem = b"%b%09x" % (self._prefix, self._number)
