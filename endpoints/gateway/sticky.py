"""The value in a JSON body that pins a caller to one deployment. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

MAX_STICKY_BYTES: Final = 1024 * 1024


def value_in_json(body: bytes, name: str) -> bytes | None:
    """The field `name` (dots step into objects) as bytes to hash; None when there is no such scalar."""
    if len(body) > MAX_STICKY_BYTES:
        return None
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    for step in name.split("."):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return msgspec.json.encode(value) if isinstance(value, str | int | float | bool) else None
