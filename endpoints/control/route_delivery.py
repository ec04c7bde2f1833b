"""Gets the recorded route table to the gateways: whole, in order, to a file and to Redis.

It knows fragments as text and never looks inside them.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from endpoints.models import OF_ALL, RouteFragment, RouteVersion

logger = logging.getLogger(__name__)

CHANNEL = "slipway:routes"
TABLE_KEY = "slipway:routes"
VERSION_KEY = "slipway:routes:version"
_HEAD = re.compile(rb'\{"version":(\d+)')
_REDIS_PATIENCE_S = 0.5

# Several writers may overtake each other on the way; the older table must not win.
_SET_IF_NEWER = """
if tonumber(redis.call('GET', KEYS[2]) or '-1') < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[1])
  redis.call('SET', KEYS[2], ARGV[2])
  redis.call('PUBLISH', ARGV[3], ARGV[2])
end
"""


class Delivery:
    """One way out: this process's copy of all fragments, the file, and the connection to Redis."""

    def __init__(self, path: Path, redis_url: str, domain: str) -> None:
        self._path = path
        self._redis_url = redis_url
        self._domain = domain
        self._client: redis.Redis | None = None
        self._is_redis_missed = False
        self._guard = threading.Lock()
        self._bodies: dict[str, str] = {}
        self._version = -1

    def send(self) -> int:
        """Assemble the newest table and hand it out; returns its version."""
        with self._guard, self._turn():
            table = self._assemble()
            if file_version(self._path) != self._version:
                self._write(table)
        self._send_to_redis(table, self._version)
        return self._version

    def repair(self) -> None:
        """Send again where file or Redis is behind the record.

        Where they are ahead of it (a restored backup), the record jumps over them: gateways keep the highest they saw.
        """
        on_disk, in_redis = file_version(self._path), self._redis_version()
        recorded = _recorded_version()
        if max(on_disk, in_redis or -1) > recorded:
            recorded = _raise_version(max(on_disk, in_redis or -1) + 1)
        if on_disk != recorded or in_redis not in (None, recorded):
            self.send()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer of the file at a time, over all processes of this host."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with (self._path.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _assemble(self) -> bytes:
        self._catch_up()
        routes = ",".join(f"{json.dumps(name)}:{body}" for name, body in self._bodies.items() if name != OF_ALL)
        head = f'"version":{self._version},"domain":{json.dumps(self._domain)}'
        return f'{{{head},"connections":{self._bodies.get(OF_ALL, "{}")},"endpoints":{{{routes}}}}}'.encode()

    def _catch_up(self) -> None:
        """Read what changed since this process looked last; all of it where the record went back (a restore)."""
        recorded = _recorded_version()
        if recorded < self._version:
            self._bodies, self._version = {}, -1
        # What is written between these two reads is read again next time, under its own version.
        changed = RouteFragment.objects.filter(version__gt=self._version)
        for name, body in changed.order_by("endpoint_name").values_list("endpoint_name", "body"):
            if body:
                self._bodies[name] = body
            else:
                self._bodies.pop(name, None)
        self._version = recorded

    def _write(self, table: bytes) -> None:
        """Readers see the old table or the new one. No fsync: the database holds the record, `repair` rewrites."""
        draft = self._path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(table)
        draft.replace(self._path)

    def _connection(self) -> redis.Redis:
        if self._client is None:
            self._client = redis.Redis.from_url(
                self._redis_url, socket_timeout=_REDIS_PATIENCE_S, socket_connect_timeout=_REDIS_PATIENCE_S
            )
        return self._client

    def _send_to_redis(self, table: bytes, version: int) -> None:
        try:
            self._connection().eval(_SET_IF_NEWER, 2, TABLE_KEY, VERSION_KEY, table, str(version), CHANNEL)
        except (redis.RedisError, OSError) as failure:
            self._miss_redis(failure)
        else:
            self._is_redis_missed = False

    def _redis_version(self) -> int | None:
        """-1 where Redis holds no table, None while it does not answer."""
        try:
            value = self._connection().get(VERSION_KEY)
        except (redis.RedisError, OSError) as failure:
            self._miss_redis(failure)
            return None
        return int(value) if isinstance(value, bytes) else -1

    def _miss_redis(self, failure: Exception) -> None:
        """Say so once, not with every publication."""
        level = logging.DEBUG if self._is_redis_missed else logging.WARNING
        self._is_redis_missed = True
        logger.log(level, "Redis does not take the route table (%s); gateways read the file", failure)


def _recorded_version() -> int:
    return RouteVersion.objects.filter(pk=1).values_list("version", flat=True).first() or 0


def _raise_version(version: int) -> int:
    """Let the record continue above `version`; returns what it is now."""
    RouteVersion.objects.filter(pk=1, version__lt=version).update(version=version)
    return _recorded_version()


def file_version(path: Path) -> int:
    """Of the table on disk, -1 without a readable one."""
    try:
        with path.open("rb") as file:
            head = _HEAD.match(file.read(64))
    except OSError:
        return -1
    return int(head[1]) if head else -1
