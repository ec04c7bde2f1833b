"""Cross-origin rules of one endpoint: which browser pages may call it. Off unless origins are given."""

from __future__ import annotations

import re
from typing import Final

_ALLOW: Final = b"\r\naccess-control-allow-origin: %b\r\nvary: Origin"
_EXPOSED: Final = b"\r\naccess-control-expose-headers: x-request-id, x-ms-client-request-id, azureml-model-deployment"
# The gateway decides alone; what the model's own server says about origins is dropped.
MODEL_FIELDS: Final = re.compile(rb"\r\naccess-control-[a-z\-]+:[^\r\n]*", re.IGNORECASE)


class CorsRules:
    """`origins`: exact origins (`https://app.example`), or `*` for any."""

    __slots__ = ("_is_any", "_origins")

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._is_any = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower().encode() for origin in origins)

    def allows(self, origin: bytes) -> bool:
        return bool(origin) and (self._is_any or origin.lower() in self._origins)

    def answer_fields(self, origin: bytes) -> bytes:
        """Header lines for an answer to a page of `origin`."""
        return _ALLOW % origin + _EXPOSED if self.allows(origin) else b"\r\nvary: Origin"

    def preflight_fields(self, origin: bytes, asked_headers: bytes) -> bytes:
        """Header lines of the answer to a preflight."""
        if not self.allows(origin):
            return b"\r\nvary: Origin"
        asked = b"\r\naccess-control-allow-headers: " + asked_headers if asked_headers else b""
        return (
            _ALLOW % origin
            + b"\r\naccess-control-allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
            + asked
            + b"\r\naccess-control-max-age: 600"
        )
