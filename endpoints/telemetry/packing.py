"""Histograms as they lie in the database: sum, bucket numbers and counts in as few bytes as the largest count needs.

Layout, little-endian: u8 bytes a count (1, 2, 4 or 8), u64 sum in µs, then n u16 buckets, then n counts. b"": empty.
"""

from __future__ import annotations

import struct

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


def unpack(packed: bytes) -> Histogram:
    """The histogram `pack` wrote."""
    histogram = Histogram()
    add_packed(packed, histogram)
    return histogram
