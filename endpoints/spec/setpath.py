"""`--set a.b[0].c=v`, `--add`, `--remove`: small changes to a document before it is read.

Works on plain values and knows no document's fields; the reader checks the result.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable

from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.yaml_reader import SourceDocument, Steps, dotted

_STEP = re.compile(r"\.?(?P<key>[^.\[\]=]+)|\[(?P<index>-?\d+)\]")


def parse_path(text: str) -> Steps:
    """`a.b[0].c` as steps. A key with dots or brackets cannot be written. Raises Invalid."""
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (position == 0 and text[0] in ".["):
            raise _bad(text, "is not a path; write it like request_settings.request_timeout_ms or list[0].key")
        steps.append(int(match["index"]) if match["index"] is not None else match["key"])
        position = match.end()
    if not steps:
        raise _bad(text, "names no field")
    return tuple(steps)


def set_values(source: SourceDocument, assignments: Iterable[str], *, is_text: bool = False) -> SourceDocument:
    """The document with every `path=value` applied. Values are JSON where they can be, unless `is_text`."""
    for assignment in assignments:
        path, equals, raw = assignment.partition("=")
        if not equals:
            raise _bad(assignment, "is not of the form path=value")
        source = put(source, parse_path(path.strip()), _value(raw, is_text=is_text))
    return source


def put(source: SourceDocument, steps: Steps, value: object) -> SourceDocument:
    """The document with `value` at `steps`; mappings on the way are made, lists are not."""
    values = copy.deepcopy(dict(source.values))
    parent = _parent(values, steps)
    last = steps[-1]
    if isinstance(parent, dict) and isinstance(last, str):
        parent[last] = value
    elif isinstance(parent, list) and isinstance(last, int):
        parent[_index(parent, last, steps)] = value
    else:
        raise _no_place(steps)
    return _changed(source, values, steps)


def add_values(source: SourceDocument, changes: Iterable[str], *, is_text: bool = False) -> SourceDocument:
    """`path=value` appends to the list at `path`, or puts a key into the mapping above it."""
    for change in changes:
        path, equals, raw = change.partition("=")
        if not equals:
            raise _bad(change, "is not of the form path=value")
        steps = parse_path(path.strip())
        values = copy.deepcopy(dict(source.values))
        parent = _parent(values, steps)
        target = parent.get(str(steps[-1])) if isinstance(parent, dict) else None
        if isinstance(target, list):
            target.append(_value(raw, is_text=is_text))
            source = _changed(source, values, steps)
        else:
            source = put(source, steps, _value(raw, is_text=is_text))
    return source


def remove_values(source: SourceDocument, paths: Iterable[str]) -> SourceDocument:
    """The document without what is at each path. Raises Invalid for what is not there."""
    for path in paths:
        steps = parse_path(path.strip())
        values = copy.deepcopy(dict(source.values))
        parent = _parent(values, steps, is_made=False)
        last = steps[-1]
        if isinstance(parent, dict) and isinstance(last, str) and last in parent:
            del parent[last]
        elif isinstance(parent, list) and isinstance(last, int):
            del parent[_index(parent, last, steps)]
        else:
            raise _bad(path, "is not in the document")
        source = _changed(source, values, steps[:-1])
    return source


def _value(raw: str, *, is_text: bool) -> object:
    if is_text:
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def _parent(values: dict[str, object], steps: Steps, *, is_made: bool = True) -> object:
    """The mapping or list that holds the last step."""
    here: object = values
    for step in steps[:-1]:
        if isinstance(here, dict) and isinstance(step, str):
            if here.get(step) is None:
                if not is_made:
                    raise _bad(dotted(steps), "is not in the document")
                here[step] = {}
            here = here[step]
        elif isinstance(here, list) and isinstance(step, int):
            here = here[_index(here, step, steps)]
        else:
            raise _no_place(steps)
    return here


def _index(items: list[object], index: int, steps: Steps) -> int:
    if not -len(items) <= index < len(items):
        raise _bad(dotted(steps), f"there is no item [{index}]; the list has {len(items)}")
    return index


def _changed(source: SourceDocument, values: dict[str, object], steps: Steps) -> SourceDocument:
    """Lines at and below what was changed no longer tell where it comes from."""
    lines = {path: line for path, line in source.lines.items() if not steps or path[: len(steps)] != steps}
    return SourceDocument(values=values, lines=lines, name=source.name)


def _no_place(steps: Steps) -> Invalid:
    return _bad(dotted(steps), "does not fit the document: a list is entered by [number], a mapping by a key")


def _bad(path: str, problem: str) -> Invalid:
    return Invalid(f"'{path}' {problem}.", details=[FieldError(path, f"'{path}' {problem}.")])
