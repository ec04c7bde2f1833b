"""A million mutated inputs for everything the gateway reads: heads, chunks, answers, routes, whole connections.

Nothing may raise what its contract does not name, and what we accept llhttp must read in the same way. The seed is
printed; `SLIPWAY_FUZZ_SEED` and `SLIPWAY_FUZZ_INPUTS` repeat or shorten a run. Writes `benchmarks/out/fuzz.json`.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from benchmarks.fuzz.mutator import Mutator
from benchmarks.fuzz.targets import TARGETS, Finding

INPUTS = int(os.environ.get("SLIPWAY_FUZZ_INPUTS", "1000000"))
MAX_FINDINGS = 10  # of one target; more of the same say nothing new
OUT = Path(__file__).parent.parent / "out" / "fuzz.json"


def main() -> None:
    """Spread the inputs over the targets; a finding is printed whole and fails the figure."""
    seed = int(os.environ.get("SLIPWAY_FUZZ_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"   seed {seed}")
    done = total = 0
    for name, target in TARGETS.items():
        mutator = Mutator(random.Random(f"{seed} {name}"), target.seeds)
        began, accepted, findings = time.monotonic(), 0, 0
        count = int(INPUTS * target.share)
        for _ in range(count):
            data = mutator.next()
            try:
                accepted += target.feed(data)
            except Finding as finding:
                findings += 1
                print(f"   {name}: {finding}\n   {data!r}")
            except Exception as error:  # noqa: BLE001 - any other is what we look for
                findings += 1
                print(f"   {name}: {error!r}\n   {data!r}")
            done += 1
            if findings >= MAX_FINDINGS:
                break
        total += findings
        print(f"   {name:10} {count:8} inputs, {accepted:7} accepted, {time.monotonic() - began:5.1f} s")
    rows = [
        {"what": "fuzzed inputs", "ratio": done, "target": min(INPUTS, 1_000_000) * 0.999, "better": "higher"},
        {
            "what": "fuzzed inputs that crashed or were read in two ways",
            "ratio": total,
            "target": 0,
            "better": "lower",
        },
    ]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
