"""The last change of an endpoint's split that was made in this browser, so that it can be taken back.

It stands in the session. It is offered only while the split still is what that change made of it: what somebody else
has set since then is never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.sessions.backends.base import SessionBase

from endpoints.models import OnlineEndpoint

_KEY = "traffic_undo"
_KEPT_ENDPOINTS = 20

Shares = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Undo:
    """summary: what was changed. fields: of the traffic form, as they were before."""

    summary: str
    fields: Mapping[str, str | int]


def remember(session: SessionBase, endpoint: OnlineEndpoint, *, traffic: Shares, mirror_traffic: Shares) -> None:
    """The endpoint, still as it was, is about to get this split."""
    known = session.get(_KEY, {})
    known.pop(endpoint.name, None)
    known[endpoint.name] = {
        "before": [_set(endpoint.traffic), _set(endpoint.mirror_traffic)],
        "after": [_set(traffic), _set(mirror_traffic)],
    }
    session[_KEY] = dict(list(known.items())[-_KEPT_ENDPOINTS:])


def undo_of(session: SessionBase, endpoint: OnlineEndpoint) -> Undo | None:
    """How the last change is taken back; None where there is none or the split has changed since."""
    found = session.get(_KEY, {}).get(endpoint.name)
    if not found or found["after"] != [_set(endpoint.traffic), _set(endpoint.mirror_traffic)]:
        return None
    (shares, mirror), (shares_now, mirror_now) = found["before"], found["after"]
    summary = ", ".join([*_changes(shares, shares_now), *(f"mirror {one}" for one in _changes(mirror, mirror_now))])
    if not summary:
        return None
    shadow, percent = next(iter(mirror.items()), ("", ""))
    fields = {f"share-{name}": share for name, share in shares.items()}
    return Undo(summary, {**fields, "mirror": shadow, "mirror-percent": percent})


def _set(shares: Shares) -> dict[str, int]:
    """The split without what has no share: 0 and nothing say the same."""
    return {name: percent for name, percent in shares.items() if percent}


def _changes(before: Shares, after: Shares) -> list[str]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name} {before.get(name, 0)} → {after.get(name, 0)} %"
        for name in names
        if before.get(name, 0) != after.get(name, 0)
    ]
