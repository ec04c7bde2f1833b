"""Time zones by their IANA name, or by the name Windows (and so Azure's documents) gives them."""

from __future__ import annotations

import difflib
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from tzlocal.windows_tz import win_tz


@cache
def _known() -> dict[str, str]:
    """Lower-case spelling -> IANA name."""
    names = {name.lower(): name for name in available_timezones()}
    return {**{windows.lower(): iana for windows, iana in win_tz.items()}, **names}


def iana_name(name: str) -> str | None:
    """`Pacific Standard Time` or `america/los_angeles` as `America/Los_Angeles`; None for no time zone."""
    return _known().get(" ".join(name.split()).lower())


def time_zone_problem(name: str) -> str | None:
    """What is wrong with a time zone's name."""
    if iana_name(name):
        return None
    near = difflib.get_close_matches(name.lower(), _known(), n=1)
    hint = f"Did you mean {_known()[near[0]]}?" if near else "Write it like Europe/Berlin or Pacific Standard Time."
    return f"There is no time zone {name[:60]!r}. {hint}"


def zone_named(name: str) -> ZoneInfo:
    """The zone of a name that `time_zone_problem` finds nothing wrong with."""
    return ZoneInfo(iana_name(name) or "UTC")
