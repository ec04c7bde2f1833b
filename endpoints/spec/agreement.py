"""The verdict on a pair of answers: do they agree, and if not, where and by how much. Pure; knows no storage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from endpoints.spec.json_compare import MISSING, Difference, Rules, Walk
from endpoints.spec.pairs import SHADOW_FAILED, Pair

ENCODED = "Encoded"  # compressed by the script, and not the same bytes
STATUS_FIELD = "HTTP status"
SHOWN_CHARACTERS = 200
_NO_JSON = object()


class Kind(StrEnum):
    """How the two answers to one request stand to each other."""

    EXACT = "Exact"
    CLOSE = "Close"
    DIFFERENT = "Different"
    SHADOW_ERROR = "ShadowError"
    NOT_COMPARABLE = "NotComparable"
    LEFT_OUT = "LeftOut"  # there was no room for it; nothing was looked at


AGREEING = (Kind.EXACT, Kind.CLOSE)
COMPARED = (*AGREEING, Kind.DIFFERENT, Kind.SHADOW_ERROR)


@dataclass(frozen=True, slots=True)
class Verdict:
    """reason: of a shadow's error or why it could not be compared. The rest as in `json_compare.Walk`."""

    kind: Kind
    reason: str = ""
    count: int = 0
    divergence: float = 0.0
    differences: tuple[Difference, ...] = ()
    fields: Mapping[str, float | None] = field(default_factory=dict)


def judge(pair: Pair, rules: Rules) -> Verdict:
    """Compare the two answers of a pair. Never raises, whatever the bodies are."""
    live, shadow = pair.live, pair.shadow
    if pair.reason == SHADOW_FAILED:
        return Verdict(Kind.SHADOW_ERROR, shadow.failure, divergence=1.0)
    if pair.reason:
        return Verdict(Kind.NOT_COMPARABLE, pair.reason)
    if shadow.status >= 500 > live.status:
        return Verdict(Kind.SHADOW_ERROR, f"Status{shadow.status}", divergence=1.0)
    if live.status != shadow.status:
        found = Difference(STATUS_FIELD, live.status, shadow.status)
        return Verdict(Kind.DIFFERENT, "", 1, 1.0, (found,), {STATUS_FIELD: None})
    if pair.is_same or live.body == shadow.body:
        return Verdict(Kind.EXACT)
    if live.content_encoding or shadow.content_encoding:
        return Verdict(Kind.NOT_COMPARABLE, ENCODED)
    return _bodies(live.body, shadow.body, rules)


def _bodies(live: bytes, shadow: bytes, rules: Rules) -> Verdict:
    one, other = _value(live), _value(shadow)
    if one is _NO_JSON or other is _NO_JSON:
        one, other = _texts(live, shadow)
    try:
        found = Walk(rules).run(one, other)
    except RecursionError:
        found = Walk(rules)
        found.note((), "nested too deeply to be compared", "nested too deeply to be compared")
    kind = Kind.DIFFERENT if found.count else Kind.EXACT if found.is_exact else Kind.CLOSE
    return Verdict(kind, "", found.count, found.divergence, tuple(found.differences), found.fields)


def _value(body: bytes) -> object:
    """The JSON of a body. A text that holds JSON itself is read once more: many scripts return `json.dumps(...)`."""
    value = _loaded(body)
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        inner = _loaded(value)
        return value if inner is _NO_JSON else inner
    return value


def _loaded(text: bytes | str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _texts(live: bytes, shadow: bytes) -> tuple[str, str]:
    """Both as text, or both in hexadecimal: what differs stays different."""
    try:
        return live.decode(), shadow.decode()
    except UnicodeDecodeError:
        return f"0x{live.hex()}", f"0x{shadow.hex()}"


def shown(value: object) -> str | None:
    """A differing value in a line that any database keeps; None for what is missing."""
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    cut = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return storable(cut)


def storable(text: str) -> str:
    """Without what PostgreSQL refuses: zero bytes and halves of a character."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
