"""Counter batches on disk: those nobody took before a process ended, or while the stream was away."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from endpoints.spec.counters import KEPT_SECONDS
from endpoints.spec.home import Home

logger = logging.getLogger(__name__)


def spill_folder(home: Home) -> Path:
    """Where they lie, one file each, named by the batch's id."""
    return home.gateway / "unsent"


def spill(home: Home, batch_id: str, encoded: bytes) -> None:
    """Keep one batch; a disk that cannot take it is logged."""
    folder = spill_folder(home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{batch_id}.{os.getpid()}"
        draft.write_bytes(encoded)
        draft.replace(folder / f"{batch_id}.json")
    except OSError as error:
        logger.error("a batch of counters could not be kept on disk: %s", error)


def take_spilled(home: Home, *, now: float | None = None) -> list[tuple[str, bytes]]:
    """Every kept batch, oldest first; those older than ten minutes are removed."""
    folder = spill_folder(home)
    limit = (time.time() if now is None else now) - KEPT_SECONDS
    found: list[tuple[float, str, bytes]] = []
    for file in folder.glob("*.json") if folder.is_dir() else ():
        try:
            age = file.stat().st_mtime
            if age < limit:
                file.unlink(missing_ok=True)
            else:
                found.append((age, file.stem, file.read_bytes()))
        except OSError:
            continue
    return [(batch_id, encoded) for _, batch_id, encoded in sorted(found)]


def forget_spilled(home: Home, batch_id: str) -> None:
    """The batch has been taken."""
    (spill_folder(home) / f"{batch_id}.json").unlink(missing_ok=True)
