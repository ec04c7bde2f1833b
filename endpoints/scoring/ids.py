"""The ids of a request, by the contract's truth table: what comes in, what goes back, what is too long."""

from __future__ import annotations

import os
import random
from typing import Dict, NamedTuple

from .http.request import Headers

NAMES = frozenset(("x-request-id", "x-ms-request-id", "x-ms-client-request-id"))
MAX_LENGTH = 100
DEPRECATED = (
    "x-ms-request-id header has been deprecated and will be removed from future versions of the server."
    " Please use x-ms-client-request-id."
)


# Unique is all an id must be, and the system's own randomness costs ten times as much. No two workers share a state.
_random = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """A random UUID (version 4)."""
    digits = "%032x" % _random.getrandbits(128)
    variant = "89ab"[int(digits[16], 16) & 3]
    return "%s-%s-4%s-%s%s-%s" % (digits[:8], digits[8:12], digits[13:16], variant, digits[17:20], digits[20:])


class Ids(NamedTuple):
    """refusal: why the ids cannot be taken, else ""."""

    request_id: str
    headers: Headers
    refusal: str = ""
    is_deprecated: bool = False


def identify(headers: Dict[str, str]) -> Ids:
    request_id = headers.get("x-request-id")
    if request_id is None:
        request_id = new_id()
    if len(request_id) > MAX_LENGTH:
        return Ids("", [], "x-request-id must not exceed %d characters" % MAX_LENGTH)
    back: Headers = [("x-request-id", request_id)] if request_id else []
    legacy = headers.get("x-ms-request-id", "")
    client = headers.get("x-ms-client-request-id", "")
    is_deprecated = bool(legacy)
    if legacy:
        client = client or legacy
    else:
        legacy = client or request_id
    if len(legacy) > MAX_LENGTH or len(client) > MAX_LENGTH:
        refusal = "x-ms-request-id and x-ms-client-request-id must not exceed %d characters" % MAX_LENGTH
        return Ids(request_id, back, refusal, is_deprecated)
    if legacy:
        back.append(("x-ms-request-id", legacy))
    if client:
        back.append(("x-ms-client-request-id", client))
    return Ids(request_id, back, "", is_deprecated)
