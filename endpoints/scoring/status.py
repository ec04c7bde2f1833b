"""The state of the server as a file that is always whole: what the studio observes of an instance."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any, Dict


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StatusFile:
    """Rewritten on every change; "" as the path keeps the state in memory only."""

    def __init__(self, path: str, *, host: str, port: int) -> None:
        self._path = path
        self.state: Dict[str, Any] = {
            "pid": os.getpid(),
            "phase": "starting",
            "host": host,
            "port": port,
            "started_at": now(),
            "ready_at": None,
            "restarts": 0,
            "exit_code": None,
            "failure": None,
        }

    def update(self, **changes: Any) -> None:
        if all(self.state.get(name) == value for name, value in changes.items()) and os.path.exists(self._path):
            return
        self.state.update(changes)
        self.write()

    def write(self) -> None:
        """A folder that was taken away, or a full disk, must not end the server."""
        if not self._path:
            return
        partial = "%s.%d" % (self._path, os.getpid())
        try:
            with open(partial, "w", encoding="utf-8") as file:
                json.dump(self.state, file)
            os.replace(partial, self._path)
        except OSError:
            return
