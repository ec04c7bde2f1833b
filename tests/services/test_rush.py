"""Quota under a rush: never overshot, never left lying."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from endpoints import selectors
from endpoints.services.quota import ensure_instance_types
from studio.access.models import User
from tests.services import world
from tests.services.rush import rush

ROOT = Path(__file__).resolve().parents[2]


def test_fifty_at_once_never_overshoot_on_sqlite(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "SLIPWAY_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.rush"],
        cwd=ROOT,
        env={**environment, "SLIPWAY_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "studio.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"accepted": 15, "OutOfQuota": 35, "lent": 40}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite here; tests/postgres runs it on PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_never_overshoot_on_postgresql() -> None:
    ensure_instance_types()
    assert rush() == {"accepted": 15, "OutOfQuota": 35, "lent": 40}


def test_the_pages_sums_are_those_of_the_check(owner: User) -> None:
    world.endpoint(owner)
    world.deploy(owner, instance_count=3)
    family = next(usage for usage in selectors.quota_usage(owner) if usage.family == "DSv2")
    assert (family.used_cores, family.reserved_cores, family.free_cores) == (12, 4, family.limit_cores - 16)
    assert family.deployments[0].deployment == "blue"
