"""How full the filesystem of a folder is. Knows no instance."""

from __future__ import annotations

import shutil
from pathlib import Path


def used_of(folder: Path) -> float | None:
    """The part in use of what may be written there, 0 to 1; None for a folder that is not there."""
    try:
        space = shutil.disk_usage(folder)
    except OSError:
        return None
    # What the system keeps for root is neither: as in `df`.
    there = space.used + space.free
    return space.used / there if there else None
