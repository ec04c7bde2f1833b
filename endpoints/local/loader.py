"""The verbs that have a `--local`, under the same names and flags as with a studio."""

from __future__ import annotations

from typing import Any

from knack.commands import CLICommandsLoader, CommandGroup

from endpoints.cli.loader import LONG_FLAGS as STUDIO_FLAGS
from endpoints.cli.loader import Loader
from endpoints.cli.tables import deployments_table, endpoints_table

LONG_FLAGS = STUDIO_FLAGS
_ROOM = "endpoints.local.commands"


class LocalLoader(Loader):
    """`online-endpoint` and `online-deployment`; everything else needs a studio."""

    def load_command_table(self, args: list[str]) -> Any:
        with self._local("online-endpoint", "endpoints", endpoints_table) as group:
            for verb in ("create", "show", "update"):
                group.command(verb, verb)
            group.command("list", "list_")
            group.command("invoke", "invoke", table_transformer=None)
            group.command("delete", "delete", confirmation="Delete the local endpoint and all its deployments?")
        with self._local("online-deployment", "deployments", deployments_table) as group:
            for verb in ("create", "show", "update"):
                group.command(verb, verb)
            group.command("list", "list_")
            group.command("get-logs", "get_logs")
            group.command("delete", "delete", confirmation="Delete the local deployment?")
        return CLICommandsLoader.load_command_table(self, args)

    def _local(self, noun: str, module: str, table: Any) -> Any:
        return CommandGroup(
            self, noun, f"{_ROOM}.{module}#{{}}", table_transformer=table, deprecate_info=None, confirmation=None
        )
