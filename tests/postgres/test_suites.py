"""The rooms that talk to the database, tested again on PostgreSQL.

`SLIPWAY_TEST_DATABASE_URL` names a server whose user may create databases: `postgres://user:password@host:port/name`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import need

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SUITES = ["tests/access", "tests/selectors", "tests/services", "tests/api", "tests/control", "tests/telemetry"]


def test_what_holds_on_sqlite_holds_on_postgresql():
    url = os.environ.get("SLIPWAY_TEST_DATABASE_URL", "")
    need("postgres", bool(url), "SLIPWAY_TEST_DATABASE_URL names no server")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *SUITES],
        cwd=ROOT,
        env={**os.environ, "SLIPWAY_DATABASE_URL": url, "SLIPWAY_REQUIRE": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
