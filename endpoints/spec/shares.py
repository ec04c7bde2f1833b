"""Makes room for a deployment in a live split. Pure arithmetic on whole percents."""

from __future__ import annotations

from collections.abc import Mapping


def with_share(traffic: Mapping[str, int], name: str, percent: int) -> dict[str, int]:
    """`traffic` with `percent` for `name`, taken from the others in proportion; 100 in all.

    Rounding goes to the largest remainders, so the shares stay as near to the old proportions as whole percents can.
    """
    others = {other: share for other, share in traffic.items() if other != name}
    total = sum(others.values())
    left = 100 - percent
    if not total:
        return {**dict.fromkeys(others, 0), name: 100}
    shares = {other: left * share // total for other, share in others.items()}
    by_remainder = sorted(others, key=lambda other: -(left * others[other] % total))
    for other in by_remainder[: left - sum(shares.values())]:
        shares[other] += 1
    return {**shares, name: percent}
