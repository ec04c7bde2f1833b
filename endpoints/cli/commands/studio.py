"""`slipway setting …`: what holds for the whole studio."""

from __future__ import annotations

from endpoints.cli.client import Json
from endpoints.cli.session import open_session


def list_settings() -> list[Json]:
    """All settings of the studio, with their defaults."""
    with open_session() as session:
        return session.client.list_all("settings")


def set_setting(name: str, value: int, note: str = "") -> Json:
    """Change one setting."""
    with open_session() as session:
        answer: Json = session.client.put("settings", name, json={"value": value, "note": note})
        return answer


def reset_setting(name: str) -> Json:
    """Set one back to what the studio was started with."""
    with open_session() as session:
        answer: Json = session.client.delete("settings", name)
        return answer
