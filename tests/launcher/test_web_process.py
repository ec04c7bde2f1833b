"""The web process before its first request."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, sys
import studio.asgi
print(gc.get_freeze_count(), "studio.pages.metrics" in sys.modules, "endpoints.api.urls" in sys.modules)
"""


def test_what_it_keeps_for_its_life_is_loaded_and_never_collected_again() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    frozen, *is_loaded = done.stdout.split()
    assert int(frozen) > 50_000
    assert is_loaded == ["True", "True"]
