"""What a user says an environment is, what is to be installed for it, and the key that names its build.

Pure values: nothing here touches disk or network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from endpoints.environments.conda import CondaFile, parse_conda
from endpoints.environments.requirements import Requirements, parse_requirements
from endpoints.spec.errors import FieldError, Invalid

# Raised when the same spec must be built anew because what the builder makes of it has changed.
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """An environment as the user wrote it.

    conda: the parsed conda file, None without one. requirements: text of a requirements.txt, "" without one; with a
    conda file it is what the file's `-r requirements.txt` means. image: the base image. context_digest and
    dockerfile_path: a stored build context with a Dockerfile of its own. has_own_server: the image serves by itself
    and is used as it is.
    """

    image: str = ""
    conda: Mapping[str, object] | None = None
    requirements: str = ""
    context_digest: str = ""
    dockerfile_path: str = ""
    has_own_server: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to install.

    python: a version specifier such as `==3.11.*`, "" when any will do. requirements: PEP 508 lines. options: lines
    that speak to the installer (`--extra-index-url …`), in their order. notes: what was decided on the way, for the
    build log.
    """

    python: str = ""
    requirements: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_bare(self) -> bool:
        return not self.requirements


def recipe_of(spec: EnvironmentSpec) -> Recipe:
    """Translate; raises Invalid with every error of the document at once (fields as in the environment YAML)."""
    errors: list[FieldError] = []
    requirements = parse_requirements(spec.requirements, field="requirements", errors=errors)
    conda = CondaFile()
    if spec.conda is not None:
        conda = parse_conda(spec.conda, requirements=requirements if spec.requirements else None, errors=errors)
    if errors:
        raise Invalid(_summary(errors), details=errors)
    pip = _merged(conda, requirements)
    return Recipe(python=conda.python, requirements=pip.lines, options=pip.options, notes=conda.notes)


def _merged(conda: CondaFile, requirements: Requirements) -> Requirements:
    """Packages and pip list of the conda file, and the requirements unless the pip list has already drawn them in."""
    lines = [*conda.packages, *conda.pip.lines]
    options = [*conda.pip.options]
    if not conda.has_included_requirements:
        lines += requirements.lines
        options += requirements.options
    return Requirements(lines=tuple(dict.fromkeys(lines)), options=tuple(dict.fromkeys(options)))


def _summary(errors: list[FieldError]) -> str:
    first = f"{errors[0].field}: {errors[0].message}"
    return first if len(errors) == 1 else f"{first} (and {len(errors) - 1} more)"


def build_key(spec: EnvironmentSpec) -> str:
    """The content hash that names the build of `spec` (64 hex digits); raises Invalid as `recipe_of` does.

    The environment's name, comments, channels and the order of packages change nothing; the order of installer
    options does, for earlier ones win.
    """
    recipe = recipe_of(spec)
    content = {
        "format": _FORMAT,
        "image": spec.image.strip(),
        "python": recipe.python,
        "requirements": sorted(recipe.requirements),
        "options": list(recipe.options),
        "context": spec.context_digest,
        "dockerfile": spec.dockerfile_path,
    }
    if spec.has_own_server:
        content["server"] = "own"
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def shown_version(specifier: str) -> str:
    """`==3.11.*` as people write it: `3.11`."""
    return specifier.removeprefix("==").removesuffix(".*")
