"""Where packages come from, as this host has it configured: pip's settings handed to uv, which does not read them.

Companies behind mirrors configure pip. What is already set for uv (UV_*) wins. Values may hold credentials: they go
into the child's environment, never into arguments or logs.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host", "timeout", "proxy")


def without_credentials(text: str) -> str:
    """`text` with user and password taken out of every URL."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)


def environment_for_uv(environ: Mapping[str, str], *, prefix: Path = Path(sys.prefix)) -> dict[str, str]:
    """`environ` for a child uv: pip's index settings translated, nothing of the studio's own environment active."""
    child = {name: value for name, value in environ.items() if name not in _NOT_INHERITED}
    child.update(
        (name, value)
        for name, value in _translated(pip_settings(environ, prefix=prefix)).items()
        if name not in environ
    )
    if "UV_INDEX_URL" in environ or "UV_DEFAULT_INDEX" in environ:
        # The user told uv itself; pip's main index must not come back in under the newer or older name.
        child = {name: value for name, value in child.items() if name in environ or name != "UV_DEFAULT_INDEX"}
    child.update(UV_NO_PROGRESS="1", NO_COLOR="1", UV_PYTHON_DOWNLOADS="never")
    return child


# Of the studio's own process, misleading to a tool that builds another environment.
_NOT_INHERITED = frozenset(
    {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "SLIPWAY_SECRET_KEY"}
)


def pip_settings(environ: Mapping[str, str], *, prefix: Path) -> dict[str, str]:
    """What pip would use: configuration files from general to particular, then PIP_* variables."""
    settings: dict[str, str] = {}
    for file in _pip_files(environ, prefix):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(
                    (key.replace("_", "-"), value) for key, value in parser.items(section) if value is not None
                )
    for key in _KEYS:
        if value := environ.get(f"PIP_{key.upper().replace('-', '_')}"):
            settings[key] = value
    return {key: value for key, value in settings.items() if key in _KEYS}


def _pip_files(environ: Mapping[str, str], prefix: Path) -> Iterator[Path]:
    only = environ.get("PIP_CONFIG_FILE", "")
    if only == os.devnull:
        return
    home = Path(environ.get("HOME", "/"))
    for folder in reversed(environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield prefix / "pip.conf"
    if only:
        yield Path(only)


def _translated(pip: Mapping[str, str]) -> dict[str, str]:
    uv: dict[str, str] = {}
    if index := pip.get("index-url"):
        uv["UV_DEFAULT_INDEX"] = index.strip()
    if extra := pip.get("extra-index-url", "").split():
        uv["UV_EXTRA_INDEX_URL"] = " ".join(extra)
        # pip takes the best version of all its indexes; uv would stop at the first index that has the name.
        uv["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if links := pip.get("find-links", "").split():
        uv["UV_FIND_LINKS"] = ",".join(links)
    if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        uv["UV_NO_INDEX"] = "1"
    if certificate := pip.get("cert"):
        uv["SSL_CERT_FILE"] = certificate.strip()
    if hosts := pip.get("trusted-host", "").split():
        uv["UV_INSECURE_HOST"] = " ".join(hosts)
    if timeout := pip.get("timeout"):
        uv["UV_HTTP_TIMEOUT"] = str(max(1, round(float(timeout)))) if re.fullmatch(r"[\d.]+", timeout) else "30"
    if proxy := pip.get("proxy"):
        uv["ALL_PROXY"] = proxy.strip()
    return uv
