"""knack, set up as `slipway`: global flags, where settings are kept, and how failures are told."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from knack.cli import CLI
from knack.events import EVENT_INVOKER_POST_PARSE_ARGS, EVENT_PARSER_GLOBAL_CREATE
from knack.util import CLIError

from endpoints.cli.connection import configuration_folder
from endpoints.cli.failures import CommandFailed, ExitCode
from endpoints.cli.help_texts import Help
from endpoints.cli.loader import Loader
from endpoints.spec.errors import FieldError, SlipwayError

_MOST_DETAILS = 50


class Program(CLI):  # type: ignore[misc]
    """One run of the command line."""

    def __init__(self, loader: type[Loader] = Loader) -> None:
        super().__init__(
            cli_name="slipway",
            config_dir=str(_settings_folder()),
            config_env_var_prefix="SLIPWAY",
            out_file=sys.stdout,
            commands_loader_cls=loader,
            help_cls=Help,
        )
        self._is_debug = False
        self.register_event(EVENT_PARSER_GLOBAL_CREATE, _add_global_flags)
        self.register_event(EVENT_INVOKER_POST_PARSE_ARGS, _keep_subscription)

    def get_cli_version(self) -> str:
        from endpoints.cli.main import version

        return f"slipway {version()}"

    def invoke(self, args: list[str], **options: Any) -> int:
        self._is_debug = "--debug" in args
        code = int(super().invoke(args, **options) or 0)
        if isinstance(self.result.error, KeyboardInterrupt):  # knack keeps it to itself
            raise self.result.error
        return code

    def exception_handler(self, failure: Exception) -> int:
        """One clear message; the traceback only for those who ask for it."""
        if self._is_debug:
            traceback.print_exception(failure)
        if isinstance(failure, BrokenPipeError):
            raise failure
        if isinstance(failure, CommandFailed | SlipwayError):
            tell(failure)
            return int(failure.exit_code if isinstance(failure, CommandFailed) else ExitCode.FAILURE)
        if isinstance(failure, CLIError):
            _error(str(failure))
            return ExitCode.FAILURE
        _error(f"{type(failure).__name__}: {failure}")
        if not self._is_debug:
            sys.stderr.write("This should not have happened. Run it again with --debug for the details.\n")
        return ExitCode.FAILURE


def _settings_folder() -> Path:
    """Where settings are kept. Where that cannot be (no home folder), a folder that is there and holds none."""
    folder = configuration_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(folder.anchor)
    return folder


def _add_global_flags(_: Any, *, arg_group: Any, **__: Any) -> None:
    """What scripts written for Azure pass along; there is one workspace here."""
    for flags in (("--resource-group", "-g"), ("--workspace-name", "-w"), ("--subscription",)):
        dest = f"_{flags[0].strip('-').replace('-', '_')}"
        arg_group.add_argument(*flags, dest=dest, metavar="NAME", help="Accepted and ignored.")


def _keep_subscription(program: Any, *, args: Any, **_: Any) -> None:
    """The one global flag a command asks for: `account set` saves it."""
    program.invocation.data["subscription"] = args._subscription


def tell(failure: CommandFailed | SlipwayError) -> None:
    """The message, every field that is wrong with its line, and what helps."""
    _error(failure.message)
    told = [detail for detail in failure.details if detail.message not in failure.message]
    for detail in told[:_MOST_DETAILS]:
        sys.stderr.write(f"  {_field_line(detail)}\n")
    if len(told) > _MOST_DETAILS:
        sys.stderr.write(f"  … and {len(told) - _MOST_DETAILS} more\n")
    where = [detail.line for detail in failure.details if detail.line]
    if where and not told:
        sys.stderr.write(f"  line {where[0]}\n")
    for hint in getattr(failure, "hints", ()):
        sys.stderr.write(f"{hint}\n")


def _field_line(detail: FieldError) -> str:
    where = ", ".join(part for part in (f"line {detail.line}" if detail.line else "", detail.field) if part)
    return f"{where}: {detail.message}" if where else detail.message


def _error(message: str) -> None:
    label = "\033[31mError\033[0m" if sys.stderr.isatty() else "ERROR"
    sys.stderr.write(f"{label}: {message}\n")
