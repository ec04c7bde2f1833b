"""`slipway configure` and `slipway account …`: kept for scripts written for another cloud; they change nothing here."""

from __future__ import annotations

from typing import Any

from endpoints.cli.failures import UsageError


def configure(cmd: Any, defaults: list[str] | None = None, list_defaults: bool = False) -> dict[str, str] | None:
    """Save defaults such as workspace=… and group=…."""
    config = cmd.cli_ctx.config
    section = config.defaults_section_name
    for pair in defaults or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"'{pair}' is not of the form name=value.")
        if value:
            config.set_value(section, key, value)
        else:
            config.remove_option(section, key)
    if list_defaults or not defaults:
        return {item["name"]: item["value"] for item in config.items(section)}
    return None


def set_account(cmd: Any) -> None:
    """Save the name given by --subscription."""
    subscription = cmd.cli_ctx.invocation.data["subscription"]
    if not subscription:
        raise UsageError("--subscription is missing: which one?")
    cmd.cli_ctx.config.set_value("account", "subscription", subscription)


def show_account(cmd: Any) -> dict[str, str]:
    """Show which studio is used, and the saved subscription."""
    from endpoints.cli.connection import find_connection

    return {"subscription": cmd.cli_ctx.config.get("account", "subscription", ""), "studio": find_connection().url}
