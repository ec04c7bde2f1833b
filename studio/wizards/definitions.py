"""What can be said of a conda file, a requirements.txt and a script before anything is built or run."""

from __future__ import annotations

import re
import warnings

from endpoints.environments.conda import parse_conda
from endpoints.environments.requirements import parse_requirements
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.yaml_reader import read_yaml

_CONDA_KEY = re.compile(r"^\s*(dependencies|channels)\s*:", re.MULTILINE)
ENVIRONMENT_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def definition_errors(kind: str, text: str) -> list[str]:
    """What is wrong with the packages of an environment, each with its line."""
    return _conda_errors(text) if kind == "conda" else _requirements_errors(text)


def script_error(name: str, source: bytes | str) -> str | None:
    """Why Python cannot read the script, with the line; None where it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f"Line {error.lineno}: " if error.lineno else ""
        text = (error.text or "").strip()
        return f"{line}{error.msg}" + (f" in “{text}”." if text else ".")
    except (ValueError, RecursionError, MemoryError) as error:
        return f"Python cannot read {name}: {error}."
    return None


def _conda_errors(text: str) -> list[str]:
    try:
        document = read_yaml(text, name="conda.yml")
    except Invalid as error:
        return [error.message]
    errors: list[FieldError] = []
    parse_conda(document.values, requirements=None, errors=errors)
    return [_told(error, document.line(_steps(error.field))) for error in errors]


def _requirements_errors(text: str) -> list[str]:
    if _CONDA_KEY.search(text):
        return ["This is a conda file: choose “A conda file” above."]
    errors: list[FieldError] = []
    requirements = parse_requirements(text, field="requirements", errors=errors)
    if not errors and not requirements.lines:
        return ["Name at least one package."]
    return [_told(error, error.line) for error in errors]


def _told(error: FieldError, line: int | None) -> str:
    return f"Line {line}: {error.message}" if line else error.message


def _steps(field: str) -> tuple[str | int, ...]:
    """`conda_file.dependencies[2].pip[0]` as the path within the conda file."""
    words = re.findall(r"[^.\[\]]+", field)[1:]
    return tuple(int(word) if word.isdecimal() else word for word in words)
