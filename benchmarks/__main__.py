"""`python -m benchmarks [NAME]`: run one benchmark, or all of them, and say which figures reach their target."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path

import benchmarks

OUT = Path(__file__).parent / "out"


def names() -> list[str]:
    """Every module or package beside this one that has a `main`."""
    return sorted(info.name for info in pkgutil.iter_modules(benchmarks.__path__) if not info.name.startswith("_"))


def report(name: str) -> bool:
    """Print the figures of `name`; whether all reach their targets."""
    path = OUT / f"{name}.json"
    if not path.exists():
        return True
    is_good = True
    for row in json.loads(path.read_text(encoding="utf-8")):
        is_reached = row["ratio"] >= row["target"] if row["better"] == "higher" else row["ratio"] <= row["target"]
        is_good &= is_reached
        sign = "≥" if row["better"] == "higher" else "≤"
        print(f"{'ok  ' if is_reached else 'MISS'} {row['what']}: {row['ratio']:.3g} (target {sign} {row['target']:g})")
    return is_good


def main(arguments: list[str]) -> int:
    """Exit code 0 when all targets are reached, 1 when one is missed, 2 for an unknown name."""
    OUT.mkdir(exist_ok=True)
    chosen = arguments or names()
    if unknown := sorted(set(chosen) - set(names())):
        print(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    is_good = True
    for name in chosen:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
        is_good &= report(name)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
