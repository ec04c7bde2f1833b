"""The newest route table from disk, looked for often enough to be in force within a few hundredths of a second."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from endpoints.spec.routes import RouteTable

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.02
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9\-_.]{0,126}[A-Za-z0-9])?")
_PATH = re.compile(r"/[!-~]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"[0-9A-Za-z.\-:_/]{1,255}")


class BadRoutes(Exception):
    """A route table cannot be used; the message says where it is wrong."""


def read_table(content: bytes) -> RouteTable:
    """Decode and check a table: what the request path relies on must hold. Raises BadRoutes."""
    try:
        table = msgspec.json.decode(content, type=RouteTable)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRoutes(str(error)) from None
    for name, endpoint in table.endpoints.items():
        if name != endpoint.name or not _NAME.fullmatch(name):
            raise BadRoutes(f"endpoint {name!r} has another or a malformed name")
        if not all(_DIGEST.fullmatch(digest) for digest in endpoint.key_digests):
            raise BadRoutes(f"endpoint {name}: a key digest is not the hex of a SHA-256")
        if any(not 0 <= weight <= 100 for weight in endpoint.traffic.values()):
            raise BadRoutes(f"endpoint {name}: a weight is not between 0 and 100")
        if any("\r" in origin or "\n" in origin or not origin.isascii() for origin in endpoint.cors_origins):
            raise BadRoutes(f"endpoint {name}: a malformed origin")
        if endpoint.mirror is not None and not 0 <= endpoint.mirror.percent <= 100:
            raise BadRoutes(f"endpoint {name}: a mirror's percent is not between 0 and 100")
        for key, deployment in endpoint.deployments.items():
            if key != deployment.name or not _NAME.fullmatch(key):
                raise BadRoutes(f"endpoint {name}: deployment {key!r} has another or a malformed name")
            if not _PATH.fullmatch(deployment.scoring_path):
                raise BadRoutes(f"endpoint {name}: deployment {key}: a malformed scoring_path")
            for instance in deployment.instances:
                if not 0 < instance.port < 65536 or not _HOST.fullmatch(instance.host):
                    raise BadRoutes(f"endpoint {name}: deployment {key}: instance {instance.id!r} has no valid address")
    return table


class RoutesWatch:
    """Looks at the file and gives every newer table to `apply`."""

    def __init__(self, file: Path, apply: Callable[[RouteTable], None]) -> None:
        self._file = os.fspath(file)
        self._apply = apply
        self._seen: tuple[int, int, int] | None = None
        self.version = 0

    def look(self) -> None:
        """One look; a file that is missing or unreadable changes nothing."""
        try:
            status = os.stat(self._file)  # noqa: PTH116 - fifty times a second
            mark = (status.st_mtime_ns, status.st_ino, status.st_size)
            if mark == self._seen:
                return
            content = Path(self._file).read_bytes()
        except OSError:
            return
        self._seen = mark
        try:
            table = read_table(content)
        except BadRoutes as bad:
            logger.error("the route table on disk is not used: %s", bad)
            return
        if table.version > self.version:
            self.version = table.version
            self._apply(table)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            try:
                self.look()
            except Exception:
                logger.exception("the new route table could not be put in force; the last one stays")
            await asyncio.sleep(POLL_SECONDS)
