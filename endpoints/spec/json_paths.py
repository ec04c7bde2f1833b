"""Patterns for places in a JSON value: `$.timestamp`, `$..id`, `$.items[*].at`, `$['odd key'][0]`. Pure.

A walk carries the patterns' positions along with it, so that a large value is walked once however many there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeAlias

Key: TypeAlias = str | int
Path: TypeAlias = tuple[Key, ...]
# Where each pattern stands: (its number, how many of its steps have been taken).
Positions: TypeAlias = frozenset[tuple[int, int]]

MAX_PATTERN_LENGTH = 200
_STEP = re.compile(
    r"(?P<dots>\.{1,2})(?:(?P<star>\*)|(?P<name>[^.\[\]'\"*]+))"
    r"|(?P<deep>\.\.)?\[(?:(?P<index>\d{1,9})|(?P<any>\*)|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")\]"
)
_SIMPLE = re.compile(r"[\w$@-]+")
NOWHERE: Positions = frozenset()


class BadPattern(ValueError):
    """This is no pattern; the message says why."""


class _Step:
    """One step. key: None takes any. is_deep: at any depth below."""

    __slots__ = ("is_deep", "key")

    def __init__(self, key: Key | None, *, is_deep: bool) -> None:
        self.key = key
        self.is_deep = is_deep

    def takes(self, key: Key) -> bool:
        return self.key is None or (self.key == key and type(self.key) is type(key))


def parse(pattern: str) -> tuple[_Step, ...]:
    """The steps of a pattern. Raises BadPattern."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise BadPattern(f"A path may have {MAX_PATTERN_LENGTH} characters.")
    if not pattern.startswith("$"):
        raise BadPattern(f"{pattern!r} is no path; it begins with $, as in $.timestamp or $..id.")
    steps = []
    position = 1
    while position < len(pattern):
        found = _STEP.match(pattern, position)
        if found is None:
            rest = pattern[position:]
            raise BadPattern(f"{pattern!r} cannot be read from {rest!r} on; write $.a.b, $..id or $.c[*].")
        steps.append(_step(found))
        position = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> _Step:
    key: Key | None = None
    if found["index"] is not None:
        key = int(found["index"])
    elif not found["star"] and not found["any"]:
        key = next(text for text in (found["name"], found["single"], found["double"]) if text is not None)
    return _Step(key, is_deep=bool(found["deep"]) or found["dots"] == "..")


def pattern_problem(pattern: str) -> str | None:
    """What is wrong with it, for a person; None where nothing is."""
    try:
        parse(pattern)
    except BadPattern as problem:
        return str(problem)
    return None


class Patterns:
    """Several patterns, asked along a walk from `start` by `step`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(parse(pattern) for pattern in patterns)
        self.start: Positions = frozenset((number, 0) for number in range(len(self._patterns)))

    def step(self, positions: Positions, key: Key) -> Positions:
        """Where the patterns stand one level further down, at `key`."""
        if not positions:
            return NOWHERE
        found = set()
        for number, taken in positions:
            steps = self._patterns[number]
            if taken == len(steps):
                continue
            if steps[taken].takes(key):
                found.add((number, taken + 1))
            if steps[taken].is_deep:
                found.add((number, taken))
        return frozenset(found)

    def is_meant(self, positions: Positions) -> bool:
        """Whether a pattern ends exactly here."""
        return any(taken == len(self._patterns[number]) for number, taken in positions)


def written(path: Path) -> str:
    """A concrete path as a pattern: ("a", 3, "b c") is `$.a[3]["b c"]`."""
    return "$" + "".join(_written_key(key) for key in path)


def _written_key(key: Key) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _SIMPLE.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def generalised(path: Path) -> str:
    """The same for all items of a list: `$.a[*].b`."""
    return "$" + "".join("[*]" if isinstance(key, int) else _written_key(key) for key in path)
