"""The rules of a traffic split and of mirroring (contract B4, B13), and the command line's way to write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from endpoints.spec.errors import FieldError, Invalid

MAX_MIRROR_PERCENT = 50

_PAIR = re.compile(r"([^\s=:,]+)\s*[=:]\s*([^\s=:,]+)")


def parse_split(text: str, *, field: str = "traffic") -> dict[str, int]:
    """`"blue=90 green=10"` (blanks or commas between; `:` as in 2021 for `=`) as a mapping; names in lower case.

    Raises Invalid.
    """
    split: dict[str, int] = {}
    for name, number in _PAIR.findall(text):
        if not re.fullmatch(r"-?\d+%?", number):
            raise _unreadable(field, f"'{name}={number}': '{number}' is not a whole number of percent.")
        if name.lower() in split:
            raise _unreadable(field, f"'{name}' stands twice.")
        split[name.lower()] = int(number.rstrip("%"))
    if left := re.sub(r"[\s,]+", " ", _PAIR.sub("", text)).strip():
        raise _unreadable(field, f"Cannot read '{left}'; write it as \"blue=90 green=10\".")
    return split


def _unreadable(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", details=[FieldError(field, message)])


def traffic_problems(traffic: Mapping[str, int], *, deployments: Collection[str] | None = None) -> list[FieldError]:
    """What is wrong with a split: 0 or 100 in all, each known. `deployments` None: existence is not checked."""
    problems = [
        FieldError(f"traffic.{name}", f"A share is 0 to 100 percent, not {percent}.")
        for name, percent in traffic.items()
        if not 0 <= percent <= 100
    ]
    problems += _unknown("traffic", traffic, deployments)
    total = sum(traffic.values())
    if total > 100:
        message = f"Traffic rule percentages must sum to less than or equal to 100%; these sum to {total}%."
        problems.append(FieldError("traffic", message))
    elif total != 0 and total != 100 and not problems:
        message = f"Traffic must be 0 or 100 percent in all; these shares sum to {total}%."
        problems.append(FieldError("traffic", message))
    return problems


def mirror_problems(
    mirror: Mapping[str, int],
    *,
    traffic: Mapping[str, int],
    deployments: Collection[str] | None = None,
    max_percent: int = MAX_MIRROR_PERCENT,
) -> list[FieldError]:
    """What is wrong with mirroring: one target, at most `max_percent`, not live at the same time."""
    wanted = {name: percent for name, percent in mirror.items() if percent}
    problems = _unknown("mirror_traffic", mirror, deployments)
    if len(wanted) > 1:
        names = ", ".join(wanted)
        problems.append(
            FieldError("mirror_traffic", f"Traffic can be mirrored to one deployment only, not to {names}.")
        )
    for name, percent in wanted.items():
        field = f"mirror_traffic.{name}"
        if not 0 <= percent <= max_percent:
            problems.append(FieldError(field, f"At most {max_percent} percent can be mirrored, not {percent}."))
        if traffic.get(name):
            message = f"'{name}' receives live traffic; a deployment is live or mirrored to, not both."
            problems.append(FieldError(field, message))
    return problems


def shadow_of(mirror: Mapping[str, int]) -> str:
    """The deployment that is mirrored to; "" for none."""
    return next((name for name, percent in mirror.items() if percent), "")


def _unknown(field: str, split: Mapping[str, int], deployments: Collection[str] | None) -> list[FieldError]:
    if deployments is None:
        return []
    there = ", ".join(sorted(deployments)) or "none yet"
    return [
        FieldError(f"{field}.{name}", f"There is no deployment '{name}' (deployments: {there}).")
        for name in split
        if name not in deployments
    ]
