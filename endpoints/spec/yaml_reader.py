"""YAML with line numbers: plain values, and for every path the line it was written on.

Knows nothing of any document's fields. Nothing but plain scalars, lists and mappings is ever constructed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from endpoints.spec.errors import FieldError, Invalid

Step = str | int
Steps = tuple[Step, ...]

MAX_TEXT_BYTES = 1024 * 1024
# Aliases may repeat a node; a document of this many values is an attack, not a deployment.
MAX_NODES = 50_000

_COLLECTION_TAGS = frozenset({"tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """What a user wrote, as plain values.

    lines: 1-based line by path, for what was read from text; empty for JSON. name: of the file, "" without one.
    """

    values: Mapping[str, object]
    lines: Mapping[Steps, int] = field(default_factory=dict)
    name: str = ""

    def line(self, steps: Steps) -> int | None:
        """The line of the value at `steps`, else of the nearest thing around it."""
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps)


def dotted(steps: Steps) -> str:
    """`("a", "b", 0, "c")` as `a.b[0].c`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_yaml(text: str, *, name: str = "") -> SourceDocument:
    """Parse one document. Raises Invalid (with the line) for what is not YAML, not a mapping, or empty."""
    if len(text) > MAX_TEXT_BYTES:
        raise Invalid(f"The document is larger than {MAX_TEXT_BYTES // 1024} KiB.")
    try:
        values, lines = _parse(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(f"Not valid YAML: {error.problem or error.context}", mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:  # a character that no YAML may hold
        raise _broken(f"Not valid YAML: {str(error).partition(chr(10))[0]}", None) from error
    except RecursionError as error:
        raise _broken("The document is nested too deeply", None) from error
    if not isinstance(values, dict):
        raise _broken(f"Expect dict but get {type(values)} after parsing yaml file", 1)
    return SourceDocument(values=values, lines=lines, name=name)


def _parse(text: str) -> tuple[object, dict[Steps, int]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise _broken("Target yaml file is empty", None)
        lines: dict[Steps, int] = {}
        return _Walk(loader, lines).value(node, ()), lines
    finally:
        loader.dispose()


def _broken(message: str, line: int | None) -> Invalid:
    where = f" (line {line})" if line else ""
    return Invalid(f"{message}{where}.", details=[FieldError("", f"{message}.", line)])


class _Walk:
    """Turns nodes into values and notes their lines on the way."""

    def __init__(self, loader: yaml.SafeLoader, lines: dict[Steps, int]) -> None:
        self._loader = loader
        self._lines = lines
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node, steps: Steps) -> object:
        self._count += 1
        if self._count > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values", problem_mark=node.start_mark)
        self._lines.setdefault(steps, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in _COLLECTION_TAGS:
            raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} has no meaning here", problem_mark=node.start_mark)
        if id(node) in self._open:
            raise yaml.MarkedYAMLError(problem="a value that contains itself", problem_mark=node.start_mark)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*steps, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)  # noqa: S101 - there is no fourth kind of node
            self._loader.flatten_mapping(node)
            return dict(self._items(node, steps))
        finally:
            self._open.discard(id(node))

    def _items(self, node: yaml.MappingNode, steps: Steps) -> Iterator[tuple[str, object]]:
        seen: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key_node.start_mark)
            key = str(key_node.value)
            # `<<` may bring a key that is also written here; what is written here comes last and wins.
            if key in seen and seen[key].start_mark.line >= node.start_mark.line:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen[key] = key_node
            self._lines[(*steps, key)] = key_node.start_mark.line + 1
            yield key, self.value(value_node, (*steps, key))

    def _scalar(self, node: yaml.ScalarNode) -> object:
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error
        # Dates and the like have no JSON form; they are the text that was written.
        return value if value is None or isinstance(value, str | int | float | bool) else str(node.value)
