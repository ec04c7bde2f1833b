"""The documents of 2021 as those of today: an endpoint that holds its `deployments`, `local_path`, `scale_settings`.

Pure: moves values, with the lines they were written on, and notes what it did. Whether the result is valid is for the
reader of today's documents to say. The format is that of the 2021 articles (contract A-18, A-32, A-34).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.yaml_reader import SourceDocument, Steps, dotted

_ONLINE = frozenset({"online", "onlineendpoint", "managed"})
_SETTINGS_DROPPED = {
    "min_instances": "the count is set by 'instance_count' or by scaling rules",
    "max_instances": "the count is set by 'instance_count' or by scaling rules",
}


@dataclass(frozen=True, slots=True)
class Converted:
    """An endpoint of 2021, taken apart. The endpoint keeps its split; `notes` are sentences for whoever wrote it."""

    endpoint: SourceDocument
    deployments: tuple[SourceDocument, ...]
    notes: tuple[str, ...]


def holds_deployments(source: SourceDocument) -> bool:
    """Whether this is an endpoint's document of 2021."""
    return "deployments" in source.values


def convert_endpoint(source: SourceDocument) -> Converted:
    """The endpoint and each of its deployments as documents of their own. Raises Invalid for a batch endpoint."""
    kind = source.values.get("type")
    if kind is not None and str(kind).lower() not in _ONLINE:
        message = f"Only online endpoints of the 2021 format can be read, not '{kind}'."
        raise Invalid(message, details=[FieldError("type", message, source.line(("type",)))])
    rewrite = _Rewrite.of(source)
    rewrite.drop(("type",))
    rewrite.move(("target",), ("compute",))
    rewrite.drop(("deployments",))
    name = source.values.get("name")
    deployments = []
    for steps, own_name in _deployments(source):
        part = _part(source, steps, {"name": own_name, "endpoint_name": name})
        deployments.append(convert_deployment(part))
    notes = [f"This is a document of the 2021 format; it is read as an endpoint and {len(deployments)} deployments."]
    for one, said in deployments:
        notes += [f"{one.values.get('name')}: {note}" for note in said]
    return Converted(rewrite.result(), tuple(one for one, _ in deployments), tuple(notes))


def _deployments(source: SourceDocument) -> Iterator[tuple[Steps, object]]:
    """Where each deployment stands, with the name it goes by; the list of names was a mapping at first."""
    found = source.values["deployments"]
    if isinstance(found, list):
        for index, each in enumerate(found):
            if not isinstance(each, Mapping):
                raise _not_a_mapping(source, ("deployments", index))
            yield ("deployments", index), each.get("name")
    elif isinstance(found, Mapping):
        for key, each in found.items():
            if not isinstance(each, Mapping):
                raise _not_a_mapping(source, ("deployments", key))
            yield ("deployments", key), each.get("name", key)
    elif found is not None:
        raise _not_a_mapping(source, ("deployments",))


def _not_a_mapping(source: SourceDocument, steps: Steps) -> Invalid:
    where, message = dotted(steps), "Not a valid mapping type."
    return Invalid(f"{where}: {message}", details=[FieldError(where, message, source.line(steps))])


def _part(source: SourceDocument, steps: Steps, more: Mapping[str, object]) -> SourceDocument:
    """The block at `steps` as a document with lines of its own; `more` holds where the block is silent."""
    block: object = source.values
    for step in steps:
        block = block[step]  # type: ignore[index]
    assert isinstance(block, Mapping)  # noqa: S101  the caller looked
    own = {key: value for key, value in more.items() if value is not None}
    depth = len(steps)
    lines = {path[depth:]: line for path, line in source.lines.items() if path[:depth] == steps}
    return SourceDocument(values={**own, **block}, lines=lines, name=source.name)


def convert_deployment(source: SourceDocument) -> tuple[SourceDocument, tuple[str, ...]]:
    """A deployment's document with today's keys, and what was left out on the way; one of today comes back as it is."""
    rewrite = _Rewrite.of(source)
    _convert_model(rewrite)
    for key in ("local_path", "directory"):
        rewrite.move(("code_configuration", "code", key), ("code_configuration", "code"))
    _convert_environment(rewrite)
    _convert_scale(rewrite)
    return rewrite.result(), tuple(rewrite.notes)


def convert_model(source: SourceDocument) -> SourceDocument:
    """A model's document with `path` for `local_path`."""
    rewrite = _Rewrite.of(source)
    rewrite.move(("local_path",), ("path",))
    return rewrite.result()


def _convert_model(rewrite: _Rewrite) -> None:
    rewrite.move(("model", "local_path"), ("model", "path"))


def _convert_environment(rewrite: _Rewrite) -> None:
    rewrite.move(("environment", "docker", "image"), ("environment", "image"))
    dockerfile = ("environment", "docker", "build", "dockerfile")
    rewrite.strip(dockerfile, "file:")
    if rewrite.has(dockerfile):
        rewrite.move(("environment", "path"), ("environment", "build", "path"))
        rewrite.move(dockerfile, ("environment", "build", "dockerfile_path"))
    for emptied in (dockerfile[:-1], ("environment", "docker")):
        if rewrite.has(emptied) and not rewrite.get(emptied):
            rewrite.drop(emptied)
    if rewrite.has(("environment", "image")):
        rewrite.drop(("environment", "path"))  # the folder that was sent along; the conda file is named by itself


def _convert_scale(rewrite: _Rewrite) -> None:
    scale = "scale_settings"
    if str(rewrite.get((scale, "scale_type")) or "").lower() == "auto":
        rewrite.notes.append("'scale_type: auto' is left out; give the deployment scaling rules instead.")
    if not any(rewrite.has((scale, key)) for key in ("scale_type", "instance_count")):
        return
    rewrite.move((scale, "instance_count"), ("instance_count",))
    rewrite.drop((scale, "scale_type"))
    for key, why in _SETTINGS_DROPPED.items():
        if rewrite.drop((scale, key)):
            rewrite.notes.append(f"'{scale}.{key}' is left out: {why}.")
    if not rewrite.get((scale,)):
        rewrite.drop((scale,))


@dataclass(slots=True)
class _Rewrite:
    """Values on their way from one place to another, their lines with them."""

    values: dict[str, object]
    lines: dict[Steps, int]
    name: str
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, source: SourceDocument) -> _Rewrite:
        return cls(copy.deepcopy(dict(source.values)), dict(source.lines), source.name)

    def result(self) -> SourceDocument:
        return SourceDocument(values=self.values, lines=self.lines, name=self.name)

    def _block(self, steps: Steps) -> dict[str, object] | None:
        here: object = self.values
        for step in steps:
            if not isinstance(here, dict):
                return None
            here = here.get(str(step))
        return here if isinstance(here, dict) else None

    def has(self, steps: Steps) -> bool:
        block = self._block(steps[:-1])
        return block is not None and steps[-1] in block

    def get(self, steps: Steps) -> object:
        block = self._block(steps[:-1])
        return None if block is None else block.get(str(steps[-1]))

    def drop(self, steps: Steps) -> bool:
        """Whether there was something to drop."""
        if not self.has(steps):
            return False
        block = self._block(steps[:-1])
        assert block is not None  # noqa: S101  has() found it
        del block[str(steps[-1])]
        self.lines = {path: line for path, line in self.lines.items() if path[: len(steps)] != steps}
        return True

    def strip(self, steps: Steps, prefix: str) -> None:
        block = self._block(steps[:-1])
        if block is not None and isinstance(value := block.get(str(steps[-1])), str):
            block[str(steps[-1])] = value.removeprefix(prefix)

    def move(self, source: Steps, target: Steps) -> None:
        """To a place in a block that exists or is made, or in place of the block it stands in."""
        if not self.has(source):
            return
        value = self.get(source)
        lines = {path[len(source) :]: line for path, line in self.lines.items() if path[: len(source)] == source}
        self.drop(source)
        above = self.values
        for step in target[:-1]:
            below = above.setdefault(str(step), {})
            if not isinstance(below, dict):
                above[str(step)] = below = {}
            above = below
        above[str(target[-1])] = value
        self.lines = {path: line for path, line in self.lines.items() if path[: len(target)] != target}
        self.lines |= {(*target, *rest): line for rest, line in lines.items()}
