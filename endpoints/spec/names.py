"""Names of endpoints, deployments and assets: their rules and the sentences that explain them (contract B1)."""

from __future__ import annotations

import re

NAME_LENGTHS = range(3, 33)
_NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
# Asset names become folder names below AZUREML_MODEL_DIR and parts of URLs.
_ASSET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,29}")


def endpoint_name_problem(name: str) -> str | None:
    """What is wrong with an endpoint's name, or None."""
    return _name_problem(name, "an endpoint")


def deployment_name_problem(name: str) -> str | None:
    """What is wrong with a deployment's name, or None."""
    return _name_problem(name, "a deployment")


def _name_problem(name: str, noun: str) -> str | None:
    if len(name) not in NAME_LENGTHS:
        return f"The name for {noun} must be at least 3 and at most 32 characters long (inclusive of both limits)."
    if not _NAME.fullmatch(name):
        return (
            f"The name for {noun} must start with an upper- or lowercase letter"
            " and only consist of '-'s and alphanumeric characters."
        )
    return None


def asset_name_problem(name: str) -> str | None:
    """What is wrong with a model's or environment's name, or None."""
    if _ASSET_NAME.fullmatch(name):
        return None
    return "A name is 1 to 255 letters, digits, '-', '_' and '.', and starts with a letter, a digit or '_'."


def version_problem(version: str) -> str | None:
    """What is wrong with a model's or environment's version, or None."""
    if _VERSION.fullmatch(version):
        return None
    return "A version is 1 to 30 letters, digits, '-', '_' and '.', and starts with a letter, a digit or '_'."
