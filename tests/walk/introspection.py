"""Which verbs and reads there are: every public function that takes a person first."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import endpoints.selectors
import endpoints.services
import studio.access

PACKAGES = (endpoints.services, endpoints.selectors, studio.access)
# The decision itself, and what writes down that it was made.
_DECIDING = {"policy", "audit.record", "doors"}


def all_verbs() -> dict[str, Callable[..., Any]]:
    """Every public function whose first parameter is a person."""
    found: dict[str, Callable[..., Any]] = {}
    for package in PACKAGES:
        for module in _modules(package):
            short = module.__name__.rpartition(".")[2]
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ != module.__name__ or name.startswith("_"):
                    continue
                first = next(iter(inspect.signature(function).parameters), "")
                if first in ("actor", "user") and not {short, f"{short}.{name}"} & _DECIDING:
                    found[f"{short}.{name}"] = function
    return found


def _modules(package: ModuleType) -> list[ModuleType]:
    names = [each.name for each in pkgutil.iter_modules(package.__path__) if not each.ispkg]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


# What verbs call of each other, after they have asked for permission. No page, no API view may call them.
INTERNAL = frozenset(
    {
        "credentials.issue_token",
        "environments.read_content",
        "environments.save_environment_version",
        "operations.begin_endpoint_change",
        "operations.begin_removal",
        "operations.begin_roll_out",
        "operations.begin_stop",
        "operations.note_change",
        "pool.stand_on",
        "registry.save_model_version",
        "registry.tree_at",
        "templates.resolve",
    }
)
