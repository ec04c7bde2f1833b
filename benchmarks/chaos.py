"""Requests lost while a studio is killed, restarted, rolled, scaled, rolled back and a canary taken back, per backend.

The test of the same name, with more than 200,000 requests on each backend instead of what a test run has time for.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OUT = Path(__file__).parent / "out" / "chaos.json"
ROOT = Path(__file__).resolve().parent.parent
REQUESTS, RATE = 200_000, 600


def main() -> None:
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(list(rows()), indent=2), encoding="utf-8")


def rows() -> Iterator[dict[str, object]]:
    """One a backend: the share of the wanted requests that were answered, 0 where one failed or the run did."""
    for backend in ("process", "docker"):
        words = ("-m", "pytest", "-q", "-s", "-n0", "tests/e2e/test_chaos.py", "-k", backend)
        environ = {**os.environ, "SLIPWAY_CHAOS_REQUESTS": str(REQUESTS), "SLIPWAY_CHAOS_RATE": str(RATE)}
        done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
        print(done.stdout, flush=True)
        told = re.search(r"(\d+) answers in", done.stdout)
        answered = int(told[1]) if told and done.returncode == 0 else 0
        what = f"requests answered, none failed, of {REQUESTS:,} under chaos ({backend})"
        yield {"what": what, "ratio": answered / REQUESTS, "target": 1.0, "better": "higher"}
