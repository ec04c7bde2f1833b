"""How a gateway asks for a sleeping deployment: one entry of the Redis list `WAKES`, JSON of `Wake`.

Asked again every second while requests wait, so a lost one costs a second; one that nobody took for long is ignored.
"""

from __future__ import annotations

import msgspec

WAKES = "slipway:wakes"
# Entries kept where no worker takes them, and how old one may be that is acted upon.
MOST_KEPT = 1000
TOO_OLD_S = 120.0


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    """Requests wait for this deployment. asked_at_ms: Unix milliseconds; waiting: how many, in one process."""

    endpoint: str
    deployment: str
    asked_at_ms: int
    waiting: int = 1
