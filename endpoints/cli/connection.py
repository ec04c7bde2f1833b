"""Which studio to talk to: from the environment, else from what a studio on this machine left for us."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from endpoints.cli.failures import CommandFailed
from endpoints.spec.home import Home


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the studio is and the token that opens it."""

    url: str
    token: str


def find_connection(environment: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Connection:
    """SLIPWAY_URL and SLIPWAY_TOKEN, else the first connection file. Raises CommandFailed when there is none."""
    environment = os.environ if environment is None else environment
    url, token = environment.get("SLIPWAY_URL", ""), _token(environment)
    if url and token:
        return Connection(url.rstrip("/"), token)
    for path in _candidates(environment, folder or Path.cwd()):
        if path.is_file():
            found = _read(path)
            return Connection((url or found.url).rstrip("/"), token or found.token)
    if url:
        raise CommandFailed("SLIPWAY_URL is set but SLIPWAY_TOKEN is not; make a token on the studio's Tokens page.")
    raise CommandFailed(
        "No studio was found on this machine.",
        hints=["Start one with: slipway up", "Or name one elsewhere with SLIPWAY_URL and SLIPWAY_TOKEN."],
    )


def configuration_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where this person's settings are kept, studio or no studio."""
    environment = os.environ if environment is None else environment
    if folder := environment.get("SLIPWAY_CONFIG_DIR"):
        return Path(folder)
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "slipway"


def _token(environment: Mapping[str, str]) -> str:
    if file := environment.get("SLIPWAY_TOKEN_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CommandFailed(f"SLIPWAY_TOKEN_FILE cannot be read: {error}.") from error
    return environment.get("SLIPWAY_TOKEN", "")


def _candidates(environment: Mapping[str, str], folder: Path) -> Iterator[Path]:
    """A named SLIPWAY_HOME is the only one; else `.slipway` here and upwards, then the one started last."""
    if home := environment.get("SLIPWAY_HOME"):
        yield Home(Path(home)).connection_file
        return
    for parent in (folder, *folder.parents):
        yield Home(parent / ".slipway").connection_file
    yield configuration_folder(environment) / "connection.json"


def _read(path: Path) -> Connection:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Connection(str(content["url"]), str(content["token"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandFailed(f"{path} cannot be read ({error}); start the studio again to renew it.") from error
