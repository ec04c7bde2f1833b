"""What a caller was answered beside what a shadow answered: sampled in the gateway, compared in telemetry.

Batches are entries of the Redis stream `STREAM`, fields `id` and `pairs` (MessagePack of `PairBatch`). They may be
lost on the way, and are the first to be where there is no room: no counter ever waits for one.
"""

from __future__ import annotations

import msgspec

STREAM = "slipway:pairs"
MAX_BODY_BYTES = 64 * 1024  # of each of the three bodies; a longer answer is not compared

# Why a pair was not compared (`Pair.reason`).
STREAMING, TOO_LARGE, LIVE_FAILED, SHADOW_FAILED = "Streaming", "TooLarge", "LiveFailed", "ShadowFailed"


class AnswerSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the two answers.

    status: 0 where none came. microseconds: from sending the request to the end of the answer. failure: the gateway's
    word for what went wrong on the way, "" for a whole answer. body: empty where the pair is not to be compared.
    """

    status: int = 0
    microseconds: int = 0
    failure: str = ""
    revision: int = 0
    content_type: str = ""
    content_encoding: str = ""
    body: bytes = b""


class Pair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Both answers to one request.

    at_ms: when the request was copied, Unix milliseconds. is_same: both bodies were the same bytes, and are left out.
    reason: why there is nothing to compare, "" where there is. request: None unless it was asked to be kept.
    """

    endpoint: str
    live_deployment: str
    shadow_deployment: str
    at_ms: int
    request_id: str
    live: AnswerSeen
    shadow: AnswerSeen
    is_same: bool = False
    reason: str = ""
    request: bytes | None = None
    request_type: str = ""


class PairBatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pairs of one process. id: unique for ever. dropped: by endpoint, pairs there was no room for
    since the last batch."""

    id: str
    pairs: tuple[Pair, ...] = ()
    dropped: dict[str, int] = {}
