"""Where the gateway's modules are imported from: a compiled build of them if there is one that fits, else the source.

A build belongs to the exact source it was made of. After an edit the source runs, interpreted, until it is built
again (`python -m endpoints.gateway.compile`), so nobody ever debugs a module that is not the one on the screen.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

VARIABLE = "SLIPWAY_GATEWAY_COMPILED"  # auto: if a build fits; off: never; require: do not start without
SOURCE = Path(__file__).parent
# What a request passes through, and what that is made of. Everything else is not worth a compiler's time.
MODULES = (
    "accesslog",
    "admission",
    "answering",
    "auth",
    "bandwidth",
    "board",
    "chunked",
    "cors",
    "counters",
    "errors",
    "exchange",
    "flow",
    "forwarding",
    "instances",
    "mirror",
    "parsing",
    "plane",
    "protocol",
    "rendering",
    "request_ids",
    "routing",
    "sticky",
    "upstream",
    "wheel",
)
_STAMP = "built-from"


class NotCompiled(ImportError):
    """A build is required and there is none that fits."""


def build_folder() -> Path:
    """Of this Python and platform, outside of what git knows."""
    return SOURCE.parents[1] / "build" / "gateway" / str(sysconfig.get_config_var("SOABI") or "unknown")


def digest() -> str:
    """Of the modules' source as it is now."""
    hashed = hashlib.sha256()
    for name in MODULES:
        source = (SOURCE / f"{name}.py").read_bytes()
        hashed.update(b"%b %d\n%b" % (name.encode(), len(source), source))
    return hashed.hexdigest()


def stamp(folder: Path, value: str) -> None:
    """Say what the build in `folder` was made of."""
    (folder / _STAMP).write_text(value, encoding="utf-8")


def replace_build(draft: Path) -> None:
    """Put a whole build in the place of the one before. Who runs the older one has its files open and goes on."""
    folder = build_folder()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft.rename(folder)


def problem(folder: Path) -> str:
    """Why the build in `folder` cannot be used; empty when it can."""
    try:
        built_from = (folder / _STAMP).read_text(encoding="utf-8")
    except OSError:
        return "it has not been built"
    return "" if built_from == digest() else "the source has changed since it was built"


def search_path(source: list[str], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where the package's modules are looked for: the build first if there is one that fits. Raises NotCompiled."""
    wish = environ.get(VARIABLE, "").lower() or "auto"
    if wish in {"off", "0", "no", "false"}:
        return source
    folder = build_folder()
    why_not = problem(folder)
    if not why_not:
        return [str(folder / "endpoints" / "gateway"), *source]
    if wish == "require":
        raise NotCompiled(
            f"{VARIABLE} is 'require', but the gateway cannot run compiled: {why_not}. Run 'make compiled'."
        )
    if folder.is_dir():
        logger.warning("the gateway runs interpreted: %s", why_not)
    return source


def is_compiled() -> bool:
    """Whether this process runs the compiled modules."""
    import endpoints.gateway.parsing as one_of_them

    return not str(one_of_them.__spec__.origin if one_of_them.__spec__ else "").endswith(".py")
