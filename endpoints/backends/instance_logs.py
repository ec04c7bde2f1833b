"""A deployment's log files: one folder per instance for the server's, one file for what staging said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from endpoints.spec.followed_logs import Source, follow
from endpoints.spec.loglines import LogFilter, LogLine, merge, read, tail

INFERENCE_SERVER = "inference-server"
STORAGE_INITIALIZER = "storage-initializer"


class InstanceLogs:
    """The logs of one container of a deployment, of all instances or of one, those that are gone included."""

    def __init__(self, folder: Path, *, instance_id: str | None = None, container: str = INFERENCE_SERVER) -> None:
        self._folder, self._instance_id, self._container = folder, instance_id, container

    def sources(self) -> list[Source]:
        """The logs there are now; staging is done once for all instances, so it has one."""
        if self._container == STORAGE_INITIALIZER:
            return [Source(self._folder / f"{STORAGE_INITIALIZER}.jsonl")]
        if self._instance_id is not None:
            names = [self._instance_id] if "/" not in self._instance_id else []
        else:
            names = sorted(path.name for path in self._folder.glob("*") if path.is_dir())
        return [Source(self._folder / name / f"{self._container}.jsonl", name) for name in names]

    def read(self, *, since: datetime | None = None, lines: int | None = None) -> Iterator[LogLine]:
        where = LogFilter(since=since)
        logs = [
            read(source.path, instance_id=source.instance_id, where=where, lines=lines) for source in self.sources()
        ]
        return merge(logs) if lines is None else iter(tail(logs, lines))

    def follow(self, *, since: datetime | None = None, lines: int | None = None) -> Iterator[LogLine]:
        return follow(self.sources, where=LogFilter(since=since), lines=lines)
