"""The doors that are no addresses: which services pages and API call, the command line, tasks, management commands."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

import endpoints.tasks
from endpoints import services
from endpoints.cli.loader import Loader
from endpoints.cli.program import Program
from studio.schedule import RECURRING
from tests.walk.introspection import INTERNAL, all_verbs

ROOT = Path(__file__).resolve().parents[2]
# What people come through.
DOORS = ("studio/pages", "studio/wizards", "studio/forms", "endpoints/api")
# Services that take no person, because they tell nothing of a workspace and change nothing; the last three read
# files by their digest, which only an authorised row tells.
HARMLESS = {
    "action_to_change", "backend_trouble", "document_of", "gate_metric", "has_gpus", "merged", "next_version",
    "promotion_of", "read_document", "stages_of", "asset_store", "conda_of", "read_model",
}  # fmt: skip
# Rooms that know neither database nor people.
PURE = ("endpoints.cli.", "endpoints.spec.", "endpoints.assets")
# What the machine's own keeper types there; whoever can run it can read the database.
COMMANDS = {"build_base_image", "doctor", "park_instances", "prepare", "seed_sample", "studio_bootstrap"}


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything a file takes out of `endpoints.services`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {"services": "endpoints.services"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("endpoints.services"):
            for alias in node.names:
                if node.module == "endpoints.services" and not hasattr(services, alias.name):
                    continue
                if inspect.ismodule(getattr(services, alias.name, None)):
                    modules[alias.asname or alias.name] = f"endpoints.services.{alias.name}"
                else:
                    yield node.module or "", alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def _called() -> dict[str, set[str]]:
    """Functions of the services by the doors that use them."""
    found: dict[str, set[str]] = {}
    for door in DOORS:
        for path in (ROOT / door).rglob("*.py"):
            for _, name in _imported(path):
                if name[:1].islower():
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def test_a_door_calls_only_verbs_that_ask_who_it_is_for() -> None:
    verbs = {name.partition(".")[2] for name in set(all_verbs()) - INTERNAL}
    unguarded = {name: doors for name, doors in _called().items() if name not in verbs | HARMLESS}
    modules = {path.stem for path in (ROOT / "endpoints/services").glob("*.py")}
    assert {name: doors for name, doors in unguarded.items() if name not in modules} == {}


def test_pages_and_api_start_no_task_by_themselves() -> None:
    for door in DOORS:
        for path in (ROOT / door).rglob("*.py"):
            assert "endpoints.tasks" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(endpoints.tasks) if name[0] != "_"])
def test_a_task_acts_for_the_studio_and_takes_no_person(name: str) -> None:
    task = getattr(endpoints.tasks, name)
    if not hasattr(task, "apply_async"):
        return
    parameters = inspect.signature(task.run).parameters
    assert not {"actor", "user", "user_id", "username"} & set(parameters)
    source = inspect.getsource(task.run)
    assert "User.objects" not in source and "is_superuser" not in source


def test_what_recurs_is_a_task_there_is() -> None:
    assert {each["task"].rpartition(".")[2] for each in RECURRING.values()} <= set(dir(endpoints.tasks))


def test_every_verb_of_the_command_line_is_a_call_of_the_rest_api() -> None:
    table = Loader(Program()).load_command_table([])
    assert len(table) > 40
    rooms = ROOT / "endpoints/cli/commands"
    for path in rooms.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            foreign = [name for name in names if name.startswith(("endpoints.", "studio", "django"))]
            assert all(name.startswith(PURE) for name in foreign), (path, foreign)


def test_management_commands_are_known() -> None:
    own = {name for name, app in get_commands().items() if app in {"endpoints", "studio", "studio.access", "access"}}
    assert own <= COMMANDS, own - COMMANDS
