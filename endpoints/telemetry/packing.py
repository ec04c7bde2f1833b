"""Histograms as they lie in the database: sum, bucket numbers and counts in as few bytes as the largest count needs.

Layout, little-endian: u8 bytes a count (1, 2, 4 or 8), u64 sum in µs, then n u16 buckets, then n counts. b"": empty.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from endpoints.spec.histogram import Histogram

_HEAD = struct.Struct("<BQ")
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def pack(histogram: Histogram) -> bytes:
    """The bytes of `histogram`."""
    buckets = histogram.buckets
    if not buckets:
        return b""
    largest = max(buckets.values())
    width = next(width for width in _CODES if largest < 1 << (8 * width))
    count = len(buckets)
    return _HEAD.pack(width, histogram.sum_us) + struct.pack(
        f"<{count}H{count}{_CODES[width]}", *buckets.keys(), *buckets.values()
    )


def add_packed(packed: bytes, to: Histogram) -> None:
    """Merge packed bytes into `to`: what reading thousands of rows does most."""
    if not packed:
        return
    width, sum_us = _HEAD.unpack_from(packed)
    count = (len(packed) - _HEAD.size) // (2 + width)
    values = struct.unpack_from(f"<{count}H{count}{_CODES[width]}", packed, _HEAD.size)
    to.sum_us += sum_us
    buckets = to.buckets
    if not buckets:
        buckets.update(zip(values[:count], values[count:], strict=True))
        return
    held = buckets.get
    for bucket, number in zip(values[:count], values[count:], strict=True):
        buckets[bucket] = held(bucket, 0) + number


def sum_of(packed: bytes) -> int:
    """The sum alone, in microseconds."""
    return int.from_bytes(packed[1:9], "little")


def merged(packed: Iterable[bytes]) -> Histogram:
    """Many at once: those with counts of one width are read as if they were one."""
    by_width: dict[int, tuple[list[bytes], list[bytes]]] = {}
    histogram = Histogram()
    for one in packed:
        if not one:
            continue
        width = one[0]
        middle = _HEAD.size + 2 * ((len(one) - _HEAD.size) // (2 + width))
        buckets, counts = by_width.setdefault(width, ([], []))
        buckets.append(one[_HEAD.size : middle])
        counts.append(one[middle:])
        histogram.sum_us += int.from_bytes(one[1:9], "little")
    found: list[int] = []  # by bucket: adding to a place of a list costs less than to one of a dictionary
    for width, (all_buckets, all_counts) in by_width.items():
        counts_together = b"".join(all_counts)
        number = len(counts_together) // width
        buckets_together = struct.unpack(f"<{number}H", b"".join(all_buckets))
        found += [0] * (max(buckets_together) + 1 - len(found))
        for bucket, count in zip(
            buckets_together, struct.unpack(f"<{number}{_CODES[width]}", counts_together), strict=True
        ):
            found[bucket] += count
    histogram.buckets = {bucket: count for bucket, count in enumerate(found) if count}
    return histogram


def unpack(packed: bytes) -> Histogram:
    """The histogram `pack` wrote."""
    histogram = Histogram()
    add_packed(packed, histogram)
    return histogram
