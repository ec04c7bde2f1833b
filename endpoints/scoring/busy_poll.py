"""Looking for news for a moment before sleeping until it comes, where a core is to spare for it.

To be woken takes longer than a short run(), and costs who wakes about as much: an interrupt to another core, in a
virtual machine by way of the host. So while several callers wait for short calls the front looks for their answers
before it sleeps, giving way to whoever wants its core, and a worker looks for the next call.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Tuple

SHORT_CALL_S = 0.0002  # of run(), below which looking is worth it
FRONT_S = 0.0012  # longer than a worker holds an answer (seat.HOLD_S), by the call that it may be in
WORKER_S = 0.0001

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Whole cores that this process may use, by its affinity and by the limit of its container."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    quota, period = _limit(cgroup)
    return min(cores, math.floor(quota / period)) if quota > 0 and period > 0 else cores


def _limit(cgroup: Path) -> Tuple[int, int]:
    """Microseconds of processor time in a period of so many; (0, 0) without a limit. Both versions of cgroups."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join([(cgroup / name).read_text() for name in names]).split()
            return (0, 0) if quota == "max" else (int(quota), int(period))
        except (OSError, ValueError):
            continue
    return 0, 0
