"""The words of a command line before they are parsed."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from endpoints.cli.failures import UsageError
from endpoints.cli.loader import LONG_FLAGS
from endpoints.cli.program import Program
from endpoints.cli.words import normalise, take_local


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("ml online-endpoint list", "online-endpoint list"),
        ("ML model list", "model list"),
        ("model show -name m", "model show --name m"),
        ("online-deployment show -endpoint e", "online-deployment show --endpoint e"),
        ("model show -name=m", "model show --name=m"),
        ("model show -n m", "model show -n m"),
        ("model show -nblue", "model show -nblue"),
        ("model show --name ml", "model show --name ml"),
        ("online-endpoint update -r blue=90", "online-endpoint update -r blue=90"),
    ],
)
def test_words_are_read_as_they_are_written_in_tutorials(written: str, read_as: str):
    assert normalise(written.split(), LONG_FLAGS) == read_as.split()


@pytest.mark.parametrize("flag", ["--web", "--vscode-debug", "--with-package", "--web=true"])
def test_what_is_not_implemented_is_refused_with_a_reason(flag: str):
    with pytest.raises(UsageError, match="is not available here: "):
        normalise(["online-endpoint", "create", flag], LONG_FLAGS)


def test_the_list_of_long_flags_is_that_of_the_commands(studio: Any):
    found: set[str] = set()
    for command in ("model create", "model download", "environment create", "environment build-log", "configure",
                    "online-endpoint update", "online-endpoint invoke", "online-endpoint create",
                    "online-endpoint regenerate-keys", "online-endpoint delete", "online-deployment create",
                    "online-deployment get-logs", "model list", "online-deployment update",
                    "online-deployment revisions", "endpoint update", "endpoint get-logs", "setting set",
                    "online-endpoint rollout show", "loan extend", "online-deployment start",
                    "online-endpoint comparison examples", "online-endpoint comparison promote",
                    "monitor autoscale create", "monitor autoscale update", "monitor autoscale decisions",
                    "monitor autoscale rule create", "monitor autoscale rule delete",
                    "monitor autoscale profile create", "monitor metrics list"):  # fmt: skip
        found |= _flags(command)
    assert found == LONG_FLAGS


def _flags(command: str) -> set[str]:
    program = Program()
    program.invocation = program.invocation_cls(
        cli_ctx=program,
        parser_cls=program.parser_cls,
        commands_loader_cls=program.commands_loader_cls,
        help_cls=program.help_cls,
    )
    invocation = program.invocation
    invocation.data["command_string"] = command
    invocation.commands_loader.load_command_table(command.split())
    invocation.commands_loader.load_arguments(command)
    invocation.parser.load_command_table(invocation.commands_loader)
    parser: argparse.ArgumentParser = invocation.parser
    for word in command.split():
        choices = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction)).choices
        parser = choices[word]
    return {flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")} - {"--__CMD"}


@pytest.mark.parametrize(
    ("given", "rest", "is_local"),
    [
        ("online-endpoint show -n e --local", "online-endpoint show -n e", True),
        ("ml online-endpoint show --local true -n e", "ml online-endpoint show -n e", True),
        ("online-endpoint show --local=True -n e", "online-endpoint show -n e", True),
        ("online-endpoint show --local false -n e", "online-endpoint show -n e", False),
        ("online-endpoint show -n true", "online-endpoint show -n true", False),
    ],
)
def test_local_may_be_given_with_a_word_for_yes_or_no(given: str, rest: str, is_local: bool):
    assert take_local(given.split()) == (rest.split(), is_local)
