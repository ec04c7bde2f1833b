"""Cross-origin headers for the origins the deployment allows; off unless some are named."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Pattern

from .http.request import Headers

METHODS = ("GET", "POST")


class Cors:
    """origins: at least one, separated by commas; each is a name, a pattern, or "*"."""

    def __init__(self, origins: str) -> None:
        self._origins = [origin.strip() for origin in origins.split(",") if origin.strip()]
        self._allows_all = "*" in self._origins
        self._patterns: List[Pattern[str]] = []
        for origin in self._origins:
            if any(sign in origin for sign in "*\\]?$^[()") and origin != "*":
                self._patterns.append(re.compile(origin, re.IGNORECASE))

    def headers(self, method: str, request: Dict[str, str]) -> Headers:
        """What to add to the answer; nothing for an origin that is not allowed."""
        origin = request.get("origin")
        allowed = self._allowed(origin)
        if allowed is None:
            return []
        headers = [("Access-Control-Allow-Origin", allowed)]
        asked = request.get("access-control-request-method", "").upper()
        if method == "OPTIONS" and origin and asked in METHODS:
            names = sorted(name.strip() for name in request.get("access-control-request-headers", "").split(","))
            if any(names):
                headers.append(("Access-Control-Allow-Headers", ", ".join([name for name in names if name])))
            headers.append(("Access-Control-Allow-Methods", ", ".join(METHODS)))
        if origin and (self._allows_all or len(self._origins) > 1 or self._patterns):
            headers.append(("Vary", "Origin"))
        return headers

    def _allowed(self, origin: Optional[str]) -> Optional[str]:
        if origin is None:
            return "*" if self._allows_all else self._origins[0]
        if self._allows_all:
            return origin
        lowered = origin.lower()
        if any(lowered == known.lower() for known in self._origins):
            return origin
        return origin if any(pattern.match(origin) for pattern in self._patterns) else None
