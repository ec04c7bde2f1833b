"""A conda file read as requirements: conda packages are taken from the Python package index under the same name.

What cannot be taken from there is either named in `conda_names` or an error with its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from endpoints.environments.conda_names import RENAMED, SYSTEM
from endpoints.environments.requirements import Requirements, parse_lines
from endpoints.spec.errors import FieldError

_KEYS = ("name", "channels", "dependencies", "prefix", "variables")
_SPEC = re.compile(
    r"""^(?:(?P<channel>[\w./:-]+)::)?      # conda-forge::
        (?P<name>[A-Za-z0-9_][\w.-]*?)      # numpy
        \s*(?P<rest>(?:[=<>!~\s\[].*)?)$    # =1.2, >=1.2,<2, ==1.2=py39_0, [version='>=1.2']
    """,
    re.VERBOSE,
)
_BRACKET = re.compile(r"""^\[\s*version\s*=\s*['"]?([^'"\]]+)['"]?\s*(?:,[^\]]*)?\]$""")
_REQUIREMENTS_FILE = re.compile(r"^(?:-r|--requirement)[=\s]\s*\S+$")


@dataclass(frozen=True, slots=True)
class CondaFile:
    """What a conda file asks for, in the package index's words.

    python: a version specifier, "" without one. packages: the conda packages as PEP 508 lines. pip: the pip list.
    has_included_requirements: the pip list drew the requirements.txt in with `-r`.
    """

    python: str = ""
    packages: tuple[str, ...] = ()
    pip: Requirements = field(default_factory=Requirements)
    notes: tuple[str, ...] = ()
    has_included_requirements: bool = False


@dataclass(frozen=True, slots=True)
class _Package:
    name: str
    specifier: str
    note: str


def parse_conda(
    document: Mapping[str, object], *, requirements: Requirements | None, errors: list[FieldError]
) -> CondaFile:
    """Read a parsed conda file; every error is added to `errors`.

    requirements: what `-r <file>` in the pip list stands for, None when no requirements were given.
    """
    _check_keys(document, errors)
    dependencies = document.get("dependencies")
    if not isinstance(dependencies, list):
        message = "is missing" if dependencies is None else "must be a list"
        errors.append(FieldError("conda_file.dependencies", f"The list of packages {message}."))
        return CondaFile()
    packages: list[_Package] = []
    pip_items: list[tuple[str, str, int | None]] = []
    for index, item in enumerate(dependencies):
        place = f"conda_file.dependencies[{index}]"
        if isinstance(item, str):
            _add_package(item, place, packages, errors)
        elif isinstance(item, Mapping) and set(item) == {"pip"}:
            _add_pip(item["pip"], f"{place}.pip", pip_items, errors)
        else:
            errors.append(FieldError(place, f"must be a package or a `pip:` list, not {_shown(item)}."))
    return _assemble(packages, pip_items, requirements, errors)


def _check_keys(document: Mapping[str, object], errors: list[FieldError]) -> None:
    for key in document:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(_KEYS)}."
            errors.append(FieldError(f"conda_file.{key}", f"Unknown key in a conda file{hint}"))


def _add_package(item: str, place: str, packages: list[_Package], errors: list[FieldError]) -> None:
    try:
        packages.append(_package(item.strip()))
    except ValueError as error:
        errors.append(FieldError(place, str(error)))


def _add_pip(items: object, place: str, pip_items: list[tuple[str, str, int | None]], errors: list[FieldError]) -> None:
    if not isinstance(items, list):
        errors.append(FieldError(place, f"must be a list of requirements, not {_shown(items)}."))
        return
    for index, item in enumerate(items):
        if isinstance(item, str):
            pip_items.append((item, f"{place}[{index}]", None))
        else:
            errors.append(FieldError(f"{place}[{index}]", f"must be text, not {_shown(item)}."))


def _assemble(
    packages: list[_Package],
    pip_items: list[tuple[str, str, int | None]],
    requirements: Requirements | None,
    errors: list[FieldError],
) -> CondaFile:
    included = [item for item in pip_items if requirements is not None and _REQUIREMENTS_FILE.match(item[0].strip())]
    pip = parse_lines((item for item in pip_items if item not in included), errors=errors)
    if included and requirements is not None:
        pip = Requirements(lines=pip.lines + requirements.lines, options=pip.options + requirements.options)
    python = next((package.specifier for package in packages if package.name == "python"), "")
    wanted = [package for package in packages if package.name and package.name != "python"]
    notes = [package.note for package in packages if package.note]
    taken = [f"{package.name}{package.specifier}" for package in wanted]
    if taken:
        notes.insert(0, f"Conda packages taken from the Python package index: {', '.join(taken)}.")
    return CondaFile(
        python=python,
        packages=tuple(taken),
        pip=pip,
        notes=tuple(notes),
        has_included_requirements=bool(included),
    )


def _package(text: str) -> _Package:
    """One conda match spec; name "" for what belongs to the host. ValueError says what is wrong."""
    if text.startswith((".", "/")) or "://" in text:
        raise ValueError(
            f"{text!r} is a file or URL of a conda package, which cannot be installed here; name the package."
        )
    if not (match := _SPEC.match(text)):
        raise ValueError(
            f"{text!r} is not a package specification, such as `numpy=1.26` or `conda-forge::numpy>=1.26`."
        )
    name = match["name"].lower()
    if name in SYSTEM:
        return _Package("", "", f"Skipped {name}: part of the host or image, not of a Python environment.")
    specifier = version_specifier(match["rest"].strip(), text)
    if name == "python":
        return _Package("python", specifier, "")
    known_as = RENAMED.get(name, name)
    note = f"The conda package {name} is called {known_as} on the Python package index." if known_as != name else ""
    return _Package(canonicalize_name(known_as), specifier, note)


def version_specifier(rest: str, whole: str) -> str:
    """What follows the name in a match spec, as a PEP 440 specifier in canonical order.

    `=1.2` is any 1.2.x; `==1.2` and a bare `1.2` are that version; a build string after it is dropped, for builds
    differ between the two worlds.
    """
    if bracket := _BRACKET.match(rest):
        rest = bracket[1].strip()
    if "|" in rest:
        raise ValueError(f"{whole!r} offers alternatives with `|`, which cannot be expressed; choose one range.")
    words = rest.split()
    if not words or words == ["*"]:
        return ""
    # `1.2 py39_0` and `1.2=py39_0`: the second word is a build, unless an operator goes on.
    version = words[0]
    for word in words[1:]:
        if version.endswith(("=", "<", ">", "!", "~", ",")) or word.startswith((",", "<", ">", "=", "!", "~")):
            version += word
        else:
            break
    clauses = [_clause(part.strip()) for part in version.split(",") if part.strip()]
    try:
        return ",".join(sorted(map(str, SpecifierSet(",".join(clause for clause in clauses if clause)))))
    except InvalidSpecifier:
        raise ValueError(f"{whole!r} has a version that is not understood; write it like `numpy=1.26.4`.") from None


def _clause(text: str) -> str:
    if match := re.match(r"^=(?!=)([^=]+)(?:=.*)?$", text):  # =1.2, =1.2=build
        return _fuzzy(match[1])
    if match := re.match(r"^(==|!=|~=|<=|>=|<|>)([^=]+)(?:=.*)?$", text):
        operator, version = match[1], match[2].strip()
        if operator in {"<", ">", "<=", ">="}:
            version = version.removesuffix(".*").removesuffix("*").rstrip(".")
        return f"{operator}{version}"
    bare = text.split("=", 1)[0]  # 1.2, 1.2.*, 1.2=build
    return _fuzzy(bare) if bare.endswith("*") else f"=={bare}"


def _fuzzy(version: str) -> str:
    version = version.strip()
    stem = version.removesuffix("*").rstrip(".")
    return f"=={stem}.*" if stem else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
