"""`slipway setting …` and `slipway loan …`: what holds for the whole studio, and what its shared pool has lent."""

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


def list_loans() -> list[Json]:
    """Cores the shared pool has lent, the next to end first."""
    with open_session() as session:
        return session.client.list_all("loans")


def extend_loan(name: str, endpoint_name: str, hours: int) -> Json:
    """Let a deployment's loan end some hours later."""
    with open_session() as session:
        answer: Json = session.client.patch(*_loan(endpoint_name, name), json={"hours": hours})
        return answer


def repay_loan(name: str, endpoint_name: str) -> None:
    """Move a deployment from its loan to its family's limit, which has room for it by now."""
    with open_session() as session:
        session.client.delete(*_loan(endpoint_name, name))


def _loan(endpoint_name: str, name: str) -> tuple[str, ...]:
    return ("online-endpoints", endpoint_name.lower(), "deployments", name.lower(), "loan")
