"""`python -m endpoints.gateway.compile`: makes the compiled build of the hot modules (see `compiled`), by mypyc.

Needs mypy, setuptools and a C compiler with Python's headers. Nothing that serves imports this.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from endpoints.gateway.compiled import MODULES, SOURCE, build_folder, digest, problem, replace_build, stamp

ROOT = SOURCE.parents[1]
OPTIMISATION = "2"


def main(arguments: list[str]) -> int:
    """Build, unless `--if-needed` and there is one that fits. 1: it failed; what the compiler said stands above."""
    if "--if-needed" in arguments and not problem(build_folder()):
        return 0
    made_of = digest()
    with tempfile.TemporaryDirectory(prefix="slipway-compile-") as folder:
        draft = Path(folder) / "out"
        try:
            _build(draft, Path(folder) / "temp")
        except SystemExit as end:
            return int(bool(end.code))
        stamp(draft, made_of)
        beside = build_folder().with_name(f".draft-{os.getpid()}")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(draft, beside)
        replace_build(beside)
    sys.stdout.write(f"compiled {len(MODULES)} modules of the gateway into {build_folder().relative_to(ROOT)}\n")
    return 0


def _build(out: Path, scratch: Path) -> None:
    """Raises SystemExit, as compilers' front ends do."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    os.chdir(ROOT)
    sources = [f"endpoints/gateway/{name}.py" for name in MODULES]
    extensions = mypycify(
        # The project's own configuration asks for plug-ins that the gateway's modules do not need.
        ["--config-file=", "--strict", f"--cache-dir={ROOT / '.mypy_cache' / 'compile'}", *sources],
        opt_level=OPTIMISATION,
        debug_level="0",
        target_dir=str(scratch / "c"),
        group_name="endpoints.gateway.native",  # found beside the modules, wherever the build lies
    )
    distribution = Distribution({"name": "slipway-gateway", "ext_modules": extensions})
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(out), str(scratch / "o")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
