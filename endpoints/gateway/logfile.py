"""A log file that is rotated by size; one writer."""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger(__name__)


class RotatedFile:
    """Appends whole lines to `path`; `path.1` is the newest old one."""

    def __init__(self, path: Path, *, max_bytes: int = 10 * 1024 * 1024, keep: int = 5) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep

    def append(self, text: str) -> None:
        """Write; a disk that cannot take it is logged and costs these lines alone."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
                size = file.tell()
            if size >= self._max_bytes:
                self._rotate()
        except OSError as error:
            logger.error("the access log cannot be written: %s", error)

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            old = self._path.with_name(f"{self._path.name}.{number}")
            if old.exists():
                old.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
