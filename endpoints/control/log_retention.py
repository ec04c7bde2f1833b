"""Keeps logs within an age and a size: of each deployment, and of all together. The oldest go first.

Sizes are those of files as they lie; what a running instance writes to at the moment is never taken from it. What was
dropped is noted beside the logs, so that whoever reads them is told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from endpoints.control.clock import Clock
from endpoints.control.targets import home
from endpoints.models import Instance
from endpoints.selectors.studio_settings import settings_in_force
from endpoints.spec.dropped_logs import note_dropped

logger = logging.getLogger(__name__)

_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a deployment's logs. is_written: a running instance, or staging, writes to it at the moment."""

    path: Path
    deployment: Path
    size_bytes: int
    written_at: datetime
    is_written: bool = False


def too_old(files: Iterable[LogFile], *, horizon: datetime) -> list[LogFile]:
    """Those last written before the horizon."""
    return [file for file in files if file.written_at < horizon and not file.is_written]


def too_many(files: Iterable[LogFile], *, limit_bytes: int) -> list[LogFile]:
    """The oldest whose going brings all of them within the limit; 0 is no limit."""
    known = sorted(files, key=lambda file: file.written_at)
    excess = sum(file.size_bytes for file in known) - limit_bytes
    gone = []
    for file in known:
        if not limit_bytes or excess <= 0:
            break
        if not file.is_written:
            gone.append(file)
            excess -= file.size_bytes
    return gone


def keep_within_limits(clock: Clock) -> None:
    """One round over all deployments' logs."""
    settings, now = settings_in_force(), clock.now()
    horizon = now - timedelta(days=settings["log_days"])
    left = list[LogFile]()
    for folder in _deployments():
        files = list(_files(folder))
        left += _without(files, too_old(files, horizon=horizon), now, f"older than {settings['log_days']} days")
    cap = settings["log_mib_per_deployment"]
    for folder in sorted({file.deployment for file in left}):
        own = [file for file in left if file.deployment == folder]
        kept = _without(own, too_many(own, limit_bytes=cap * _MIB), now, _beyond(cap))
        left = [*(file for file in left if file.deployment != folder), *kept]
    total = settings["log_mib_total"]
    _without(left, too_many(left, limit_bytes=total * _MIB), now, f"{_beyond(total)} of all deployments")


def _beyond(mib: int) -> str:
    return f"beyond {mib:,} MiB"


def _without(files: Sequence[LogFile], gone: Sequence[LogFile], now: datetime, why: str) -> list[LogFile]:
    """Delete what is to go, note it, and return what is left."""
    for file in gone:
        file.path.unlink(missing_ok=True)
        if file.path.parent != file.deployment and not any(file.path.parent.iterdir()):
            file.path.parent.rmdir()
        note_dropped(file.deployment, size_bytes=file.size_bytes, until=file.written_at, why=why, now=now)
    if gone:
        logger.info("Dropped %d log files (%s)", len(gone), why)
    names = {file.path for file in gone}
    return [file for file in files if file.path not in names]


def _deployments() -> Iterator[Path]:
    root = home().deployment_logs("x", "y").parent.parent
    for endpoint in sorted(root.iterdir()) if root.is_dir() else ():
        if endpoint.is_dir():
            yield from (folder for folder in sorted(endpoint.iterdir()) if folder.is_dir())


def _files(folder: Path) -> Iterator[LogFile]:
    living = set(
        Instance.objects.filter(
            deployment__endpoint__name=folder.parent.name, deployment__name=folder.name, ended_at=None
        ).values_list("pk", flat=True)
    )
    for path in folder.rglob("*.jsonl*"):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # rotated away meanwhile
        is_newest = path.suffix == ".jsonl"
        is_written = is_newest and (path.parent == folder or path.parent.name in living)
        yield LogFile(path, folder, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC), is_written)
