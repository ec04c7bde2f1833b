"""The plain output of a server that an image brought itself, kept as the log lines every other instance has."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from docker.errors import APIError

from endpoints.backends.instance_logs import INFERENCE_SERVER
from endpoints.spec.loglines import LogWriter

_MOST_LINES = 2000


def keep_console(printed: Callable[..., bytes], folder: Path) -> None:
    """Append what a container has printed since the last time to the log of the inference server in `folder`.

    printed: the engine's logs of the container, with their options.
    """
    mark = folder / "console.mark"
    log = folder / f"{INFERENCE_SERVER}.jsonl"
    last = mark.read_text(encoding="ascii") if mark.exists() else ""
    since = _seconds(last) if last else 0.0
    with contextlib.suppress(APIError):  # it is just being removed
        output = printed(timestamps=True, tail=_MOST_LINES, **({"since": since} if since else {}))
        lines = [line.partition(" ") for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
        fresh = sorted((stamp, text) for stamp, _, text in lines if stamp > last)
        for stamp, text in fresh:
            writer = LogWriter(log, logger="console", now=partial(_moment, stamp))
            writer.write(text.rstrip())
        if fresh:
            mark.write_text(fresh[-1][0], encoding="ascii")


def _seconds(stamp: str) -> float:
    """A little earlier: the engine's filter has a coarser clock than its stamps; what is known is left out here."""
    return max(0.0, _moment(stamp).timestamp() - 1.0)


def _moment(stamp: str) -> datetime:
    """The engine's stamps have nanoseconds."""
    return datetime.fromisoformat(stamp[:26].rstrip("Z")).replace(tzinfo=UTC)
