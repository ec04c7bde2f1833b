"""Lengths of time as people write them: `90s`, `5m`, `1h30m`, `PT5M`, or bare seconds."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(?:PT)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s?)?", re.IGNORECASE)


def seconds_of(text: str) -> int | None:
    """The seconds a text means, None where it means none."""
    match = _PARTS.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def text_of(seconds: float) -> str:
    """`5400` as `1h30m`."""
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
