"""The studio's settings with a data folder of the tests' own. Read before any conftest, as pytest-django does."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_home = tempfile.mkdtemp(prefix="slipway-test-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["SLIPWAY_HOME"] = _home
os.environ.setdefault("SLIPWAY_LOG_LEVEL", "WARNING")
for name in ("SLIPWAY_URL", "SLIPWAY_PORT", "SLIPWAY_GATEWAY_PORT", "SLIPWAY_TOKEN"):
    os.environ.pop(name, None)

from studio.settings import *  # noqa: E402, F403  what stands above must be there before

# Hashing a password is slow on purpose; tests make many people.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
