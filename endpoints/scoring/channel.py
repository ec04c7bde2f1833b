"""What workers tell the supervisor, one line of JSON each through a pipe: ready, or why not."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, Dict, List

READY = "ready"
FAILED = "failed"
CRASHED = "crashed"  # of a worker that the nursery replaces


def tell(descriptor: int, event: str, **fields: Any) -> None:
    line = json.dumps(dict({"pid": os.getpid()}, event=event, **fields)) + "\n"
    with suppress(OSError):  # the supervisor is gone, and this process about to follow
        os.write(descriptor, line.encode("utf-8", "backslashreplace"))


class EventReader:
    """Whole events out of one pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._rest = b""

    def read(self) -> List[Dict[str, Any]]:
        try:
            data = self._rest + os.read(self.descriptor, 64 * 1024)
        except OSError:
            return []
        *lines, self._rest = data.split(b"\n")
        return [json.loads(line) for line in lines if line]
