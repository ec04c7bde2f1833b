"""What was dropped of a deployment's logs: one small file beside them, added to by the studio, read by log views."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

# The header of an answer with log lines that tells of those that are missing.
HEADER = "Slipway-Logs-Dropped"
_NAME = "dropped.json"
_MINUTES = "%Y-%m-%d %H:%M UTC"


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """size_bytes: in all. until: the youngest line that may be gone. at, why: of the last time."""

    size_bytes: int
    files: int
    until: datetime
    at: datetime
    why: str

    @property
    def sentence(self) -> str:
        """For a header or a terminal: one line, ASCII, times in UTC."""
        mib = self.size_bytes / 1024**2
        size = f"{mib:,.1f} MiB" if mib >= 1 else f"{-(-self.size_bytes // 1024)} KiB"
        until, at = (moment.astimezone(UTC).strftime(_MINUTES) for moment in (self.until, self.at))
        return f"{size} of older lines, up to {until}, were dropped, last at {at}: {self.why}."


def dropped_of(folder: Path) -> Dropped | None:
    """What the note says; None where nothing was dropped, or where it cannot be read."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=Dropped)
    except (OSError, msgspec.MsgspecError):
        return None


def note_dropped(folder: Path, *, size_bytes: int, until: datetime, why: str, now: datetime) -> None:
    """Add one file that is gone."""
    before = dropped_of(folder)
    note = Dropped(
        size_bytes=size_bytes + (before.size_bytes if before else 0),
        files=1 + (before.files if before else 0),
        until=max(until, before.until) if before else until,
        at=now,
        why=why,
    )
    draft = folder / f"{_NAME}.new"
    draft.write_bytes(msgspec.json.encode(note))
    draft.replace(folder / _NAME)
