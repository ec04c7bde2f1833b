"""requirements.txt and pip lists as validated lines. Lines that reach for files beside the document are refused.

An environment is registered without the folder its file lay in, so a local path could only fail later, at build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from endpoints.spec.errors import FieldError

# Options that mean the same to uv as to pip, and whether they take a value.
_OPTIONS = {
    "--index-url": True,
    "--extra-index-url": True,
    "--find-links": True,
    "--no-index": False,
    "--no-binary": True,
    "--only-binary": True,
}
_SHORT = {"-i": "--index-url", "-f": "--find-links"}
# Options that say nothing about what is installed.
_IGNORED = {"--trusted-host", "--prefer-binary", "--no-cache-dir", "--use-feature", "--progress-bar", "--pre"}
_COMMENT = re.compile(r"(^|\s)#.*$")
_FILE = re.compile(r"\.(whl|zip|tar(\.\w+)?|tgz)$")
_DIRECT = re.compile(r"^(git|hg|svn|bzr)\+|^https?://")


@dataclass(frozen=True, slots=True)
class Requirements:
    lines: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse_requirements(text: str, *, field: str, errors: list[FieldError]) -> Requirements:
    """The text of a requirements.txt; what is wrong is added to `errors` with its line."""
    numbered = _logical_lines(text)
    return parse_lines(((line, field, number) for number, line in numbered), errors=errors)


def parse_lines(lines: Iterable[tuple[str, str, int | None]], *, errors: list[FieldError]) -> Requirements:
    """Lines with the field and line number each comes from."""
    requirements: list[str] = []
    options: list[str] = []
    for text, field, number in lines:
        line = _COMMENT.sub("", text).strip()
        if not line:
            continue
        try:
            if line.startswith("-"):
                options += _option(line)
            else:
                requirements.append(normalised(line))
        except ValueError as error:
            errors.append(FieldError(field=field, message=str(error), line=number))
    return Requirements(lines=tuple(requirements), options=tuple(options))


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers; a backslash at the end joins the next."""
    logical: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        logical.append((start, pending + line))
        pending, start = "", 0
    if pending:
        logical.append((start, pending))
    return logical


def _option(line: str) -> list[str]:
    name, _, value = (part.strip() for part in re.sub(r"^(--?[\w-]+)[=\s]\s*", r"\1\0", line).partition("\0"))
    name = _SHORT.get(name, name)
    if name in {"-r", "--requirement", "-c", "--constraint"}:
        raise ValueError(f"{line!r} names another file, which is not stored with the environment; put its lines here.")
    if name in {"-e", "--editable"}:
        raise ValueError(f"{line!r} installs a local folder; put that code into the deployment's code folder instead.")
    if name in _IGNORED:
        return ["--pre"] if name == "--pre" else []
    if name not in _OPTIONS:
        raise ValueError(f"The installer option {name!r} is not supported here; remove the line.")
    if _OPTIONS[name] and not value:
        raise ValueError(f"{name} needs a value.")
    if name == "--find-links" and not re.match(r"^(https?|file)://|^/", value):
        raise ValueError(f"{line!r} names a local folder, which is not stored with the environment; use a URL.")
    return [f"{name} {value}".strip()]


def normalised(line: str) -> str:
    """One requirement in canonical spelling; ValueError says what is wrong and what to do."""
    line, hashes = _without_hashes(line)
    if _DIRECT.match(line):
        return line
    if line.startswith((".", "/", "~", "file:")) or re.match(r"^[A-Za-z]:\\", line) or "\\" in line:
        raise ValueError(
            f"{line!r} is a path on the machine where it was written; put the code into the deployment's code folder "
            "or give the URL of a package."
        )
    if _FILE.search(line) and "@" not in line:
        raise ValueError(f"{line!r} is a file; only package names and URLs can be installed.")
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        hint = "; pip writes versions with ==" if re.match(r"^[\w.-]+\s*=[^=]", line) else ""
        raise ValueError(f"{line!r} is not a requirement pip understands: {reason}{hint}.") from None
    if requirement.url and requirement.url.startswith("file:"):
        raise ValueError(f"{line!r} is a path on the machine where it was written; give the URL of a package.")
    return _canonical(requirement) + hashes


def _canonical(requirement: Requirement) -> str:
    """One spelling, ours: it is hashed into build keys, which must outlive changes of taste in `packaging`."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    wanted = f" @ {requirement.url}" if requirement.url else ",".join(sorted(map(str, requirement.specifier)))
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{canonicalize_name(requirement.name)}{extras}{wanted}{marker}"


def _without_hashes(line: str) -> tuple[str, str]:
    """`line` without its `--hash=…` words, and those words."""
    hashes = re.findall(r"\s--hash[=\s]\S+", line)
    for word in hashes:
        line = line.replace(word, "")
    return line.strip(), "".join(f" --hash={re.split(r'[= ]', word.strip(), maxsplit=1)[1]}" for word in hashes)
