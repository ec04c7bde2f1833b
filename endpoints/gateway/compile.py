"""`python -m endpoints.gateway.compile`: makes the compiled build of the hot modules (see `compiled`), by mypyc.

Needs mypy, setuptools and a C compiler with Python's headers. Nothing that serves imports this.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from endpoints.gateway.compiled import MODULES, SOURCE, build_folder, digest, problem, replace_build, stamp

ROOT = SOURCE.parents[1]
OPTIMISATION = "2"


def main(arguments: list[str]) -> int:
    """Build; 1: it failed, and what the compiler said stands above.

    --if-needed: unless there is a build that fits. --if-possible: unless this machine cannot compile, which is told.
    --look: build nothing; 0 where there is a build that fits.
    """
    is_needed = bool(problem(build_folder()))
    if "--look" in arguments:
        return int(is_needed)
    if "--if-needed" in arguments and not is_needed:
        return 0
    if "--if-possible" in arguments and (lacking := lacks()):
        sys.stdout.write(f"The gateway is not compiled and runs as it is: {lacking}.\n")
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


def lacks() -> str:
    """What this machine lacks for compiling, "" where it lacks nothing."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if not (shutil.which(compiler) or shutil.which("cc")):
        return f"there is no C compiler ({compiler}) on PATH"
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return "" if headers.exists() else f"there is no {headers}; install Python's headers"


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
