"""Several replicas of a new version start at once: each finds the database prepared, and it was prepared once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.conftest import need

ROOT = Path(__file__).resolve().parents[2]
REPLICAS = 3


@pytest.fixture
def fresh_database() -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    url = os.environ.get("SLIPWAY_TEST_DATABASE_URL", "")
    need("postgres", bool(url), "SLIPWAY_TEST_DATABASE_URL names no server")
    name = f"prepare_{uuid.uuid4().hex[:12]}"
    server = url.replace("postgres://", "postgresql://", 1)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def prepared_at_once(environ: dict[str, str]) -> list[tuple[int, str]]:
    """Exit code and output of every replica."""
    command = [sys.executable, "manage.py", "prepare", "--verbosity", "0"]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(REPLICAS)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in running]
    return [(process.returncode, output) for process, output in zip(running, outputs, strict=True)]


def assert_prepared_once(environ: dict[str, str]) -> None:
    ended = prepared_at_once({**environ, "DJANGO_SETTINGS_MODULE": "studio.settings"})
    assert [code for code, _ in ended] == [0] * REPLICAS, ended
    assert sorted(json.loads(output)["created"] for _, output in ended) == [False, False, True]


@pytest.mark.postgres
def test_replicas_that_prepare_one_postgresql_at_once_all_succeed(fresh_database: str, tmp_path: Path):
    assert_prepared_once({**os.environ, "SLIPWAY_HOME": str(tmp_path), "SLIPWAY_DATABASE_URL": fresh_database})


def test_replicas_that_prepare_one_data_folder_at_once_all_succeed(tmp_path: Path):
    environ = {name: value for name, value in os.environ.items() if name != "SLIPWAY_DATABASE_URL"}
    assert_prepared_once({**environ, "SLIPWAY_HOME": str(tmp_path)})
