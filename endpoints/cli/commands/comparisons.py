"""`slipway online-endpoint comparison …`"""

from __future__ import annotations

from typing import Any

from endpoints.cli.client import Json
from endpoints.cli.session import open_session


def show(name: str) -> Json:
    """Show how far the shadow's answers agree with the live ones, where they differ, and how long both take."""
    with open_session() as session:
        found: Json = session.client.get(*_comparison(name))
        return found


def examples(name: str, kind: str | None = None, example: int | None = None) -> Any:
    """List the worst pairs, or show one of them whole."""
    with open_session() as session:
        path = (*_comparison(name), "examples")
        return session.client.get(*path, str(example)) if example else session.client.get(*path, kind=kind)


def reset(name: str) -> None:
    """Forget all that was found, the kept answers too, and count on from nothing."""
    with open_session() as session:
        session.client.post(*_comparison(name), "reset")


def promote(name: str, percent: int = 100, no_wait: bool = False) -> Json:
    """Give the shadow its share of the live traffic, taken from the others in proportion, and mirror no more."""
    with open_session() as session:
        answer = session.client.post(*_comparison(name), "promote", json={"percent": percent})
        session.finish(answer, is_waited_for=not no_wait)
        found: Json = session.client.get("online-endpoints", name.lower())
        return found


def _comparison(name: str) -> tuple[str, str, str]:
    return ("online-endpoints", name.lower(), "comparison")
