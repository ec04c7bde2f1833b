"""The data plane beside its peers: alternating runs of the same request, medians.

Writes `benchmarks/out/data_plane.json`. `SLIPWAY_BENCH_SECONDS` and `SLIPWAY_BENCH_RUNS` shorten or lengthen it.
Usage: python -m benchmarks.data_plane [--only gateway|scoring] [--placement apart|free]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.data_plane import gateway, scoring
from benchmarks.data_plane.figures import Row

SECONDS = float(os.environ.get("SLIPWAY_BENCH_SECONDS", "4"))
RUNS = int(os.environ.get("SLIPWAY_BENCH_RUNS", "5"))
OUT = Path(__file__).parent.parent / "out" / "data_plane.json"


def main(arguments: list[str] | None = None) -> None:
    """Measure all figures, or those of one part."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.data_plane", description=__doc__)
    options.add_argument("--only", choices=("gateway", "scoring"))
    options.add_argument(
        "--placement", choices=("apart", "free"), default="apart", help="of the scoring servers' processes on the cores"
    )
    given = options.parse_args(arguments or [])
    if not shutil.which("wrk"):
        raise SystemExit("The load comes from wrk, which is not on PATH; Debian's package is called wrk.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        if given.only != "scoring":
            rows += gateway.measure(Path(folder), seconds=SECONDS, runs=RUNS)
        if given.only != "gateway":
            rows += scoring.measure(Path(folder), seconds=SECONDS, runs=RUNS, is_apart=given.placement == "apart")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
