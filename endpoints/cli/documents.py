"""From `-f file.yml`, flags and `--set` to a checked document whose files are where the studio can read them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from endpoints.cli.failures import CommandFailed, StudioError, UsageError
from endpoints.spec.documents import (
    CodeConfiguration,
    EnvironmentContent,
    FileLocation,
    InlineEnvironment,
    InlineModel,
    OnlineDeploymentDocument,
)
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.schema import Document
from endpoints.spec.script_check import script_problem
from endpoints.spec.setpath import add_values, parse_path, put, remove_values, set_values
from endpoints.spec.yaml_reader import SourceDocument, read_yaml

_DocumentT = TypeVar("_DocumentT", bound=Document)
_EnvironmentT = TypeVar("_EnvironmentT", bound=EnvironmentContent)

Words = Sequence[Sequence[str]] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What flags change in a document: `--set`, `--add`, `--remove`, each possibly given several times."""

    set: Words = None
    add: Words = None
    remove: Words = None
    is_text: bool = False

    def __bool__(self) -> bool:
        return bool(self.set or self.add or self.remove)

    def applied_to(self, source: SourceDocument) -> SourceDocument:
        source = set_values(source, _flat(self.set), is_text=self.is_text)
        source = add_values(source, _flat(self.add), is_text=self.is_text)
        return remove_values(source, _flat(self.remove))


def _flat(words: Words) -> list[str]:
    return [word for group in words or () for word in group]


@dataclass(frozen=True, slots=True)
class Draft:
    """A document as written, and the folder its paths are relative to."""

    source: SourceDocument
    folder: Path

    @classmethod
    def from_file(cls, file: str | None) -> Draft:
        """The file, or an empty document relative to the current folder."""
        if file is None:
            return cls(SourceDocument({}), Path.cwd())
        path = Path(file)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise UsageError(f"There is no file {file}.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}.") from error
        return cls(read_yaml(text, name=file), path.resolve().parent)

    def changed(self, changes: Changes) -> Draft:
        return dataclasses.replace(self, source=changes.applied_to(self.source))

    def with_values(self, **values: object) -> Draft:
        """Flags win over the file; None leaves the file's value."""
        source = self.source
        for name, value in values.items():
            if value is not None:
                source = put(source, (name,), value)
        return dataclasses.replace(self, source=source)

    def over(self, present: Mapping[str, object]) -> Draft:
        """With what is there already wherever the document is silent."""
        return dataclasses.replace(
            self, source=dataclasses.replace(self.source, values={**present, **self.source.values})
        )

    def read(self, shape: type[_DocumentT]) -> _DocumentT:
        return shape.read(self.source)

    @contextlib.contextmanager
    def lines_told(self) -> Iterator[None]:
        """Refusals of the studio that name a field get the line it stands on here."""
        try:
            yield
        except (StudioError, Invalid) as error:
            error.details = tuple(self._with_line(detail) for detail in error.details)
            raise

    def _with_line(self, detail: FieldError) -> FieldError:
        if detail.line is not None or not detail.field:
            return detail
        try:
            return dataclasses.replace(detail, line=self.source.line(parse_path(detail.field)))
        except Invalid:
            return detail


# Files -----------------------------------------------------------------------------------------------------


class Receiver(Protocol):
    """Takes files and says where they are from then on."""

    def place(self, root: Path, *, purpose: str, field: str) -> FileLocation:
        """`field`: of the document that names `root`, for messages. Raises Invalid for what cannot be taken."""


@dataclass(frozen=True, slots=True)
class FileSender:
    """Replaces the paths in a document by what `receiver` makes of them, and package files by their text."""

    receiver: Receiver
    folder: Path

    def location(self, location: FileLocation, *, purpose: str, field: str) -> FileLocation:
        if not location.is_local:
            return location
        return self.receiver.place(self.folder / location.value, purpose=purpose, field=field)

    def environment(self, content: _EnvironmentT, *, prefix: str = "") -> _EnvironmentT:
        """With its conda or requirements file read, and its build context sent."""
        changes: dict[str, Any] = {}
        for name in ("conda_file", "requirements_file"):
            if isinstance(path := getattr(content, name), str) and not is_file_text(path):
                changes[name] = read_text(self.folder / path, field=prefix + name)
        if content.build:
            path = self.location(content.build.path, purpose="environment-context", field=f"{prefix}build.path")
            changes["build"] = dataclasses.replace(content.build, path=path)
        return dataclasses.replace(content, **changes)

    def deployment(self, document: OnlineDeploymentDocument) -> OnlineDeploymentDocument:
        """With model, code and environment where the studio can read them."""
        changes: dict[str, Any] = {}
        if isinstance(document.environment, InlineEnvironment):
            changes["environment"] = self.environment(document.environment, prefix="environment.")
        if isinstance(document.model, InlineModel):
            path = self.location(document.model.path, purpose="model", field="model.path")
            changes["model"] = dataclasses.replace(document.model, path=path)
        if code := document.code_configuration:
            location = self.location(code.code, purpose="code", field="code_configuration.code")
            changes["code_configuration"] = dataclasses.replace(code, code=location)
        return dataclasses.replace(document, **changes)


def is_file_text(value: str) -> bool:
    """A conda or requirements file given as its text has line ends; a path has none."""
    return "\n" in value


def read_text(path: Path, *, field: str) -> str:
    """A small text file. It always ends with a line end, so that it can be told from a path."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _invalid(field, f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(field, f"{path} cannot be read: {error}.") from error
    return text if text.endswith("\n") else f"{text}\n"


def check_script(document: OnlineDeploymentDocument, folder: Path) -> None:
    """Refuse a scoring script that does not compile, or is not there, before anything is sent."""
    code = document.code_configuration
    if code is None or not code.code.is_local:
        return
    path = script_path(code, folder)
    try:
        source = path.read_bytes()
    except OSError:
        raise _invalid("code_configuration.scoring_script", f"Failed to open scoring script {path}.") from None
    if problem := script_problem(source, file=str(path), deployment=document.name):
        # The line is the script's; the document has nothing to do with it.
        raise CommandFailed(problem.message)


def script_path(code: CodeConfiguration, folder: Path) -> Path:
    """The script as a file. Raises Invalid for one outside of the code folder."""
    root = folder / code.code.value
    path = root / code.scoring_script
    if not path.resolve().is_relative_to(root.resolve()):
        message = f"The scoring script must lie in the code folder; {code.scoring_script} leads out of it."
        raise _invalid("code_configuration.scoring_script", message)
    return path


def known_values(shape: type[Document], values: Mapping[str, object]) -> dict[str, object]:
    """What of the studio's answer is part of the document itself; null there means unset, which is no value here."""
    names = {field.name for field in dataclasses.fields(shape)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if name in names and value is not None}


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, details=[FieldError(field, message)])
