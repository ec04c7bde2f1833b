"""`comparison` of an endpoint: how a shadow's answers are held against those its callers got. Ours, not Azure's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from endpoints.spec.json_paths import pattern_problem
from endpoints.spec.schema import Integer, ListOf, Number, Problem, Shape, Text, rule, to_json

MAX_PATTERNS = 50
MAX_PER_SECOND = 100
MAX_EXAMPLES = 100

_VERDICT_KEYS = ("absolute_tolerance", "relative_tolerance", "ignored_paths", "unordered_paths")
_TOLERANCE = "A tolerance is a number from 0 to 1e300."
_Patterns = ListOf(Text(pattern_problem))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings(Shape):
    """Which mirrored requests are compared, and when two answers agree.

    sample_percent: of the mirrored requests; max_per_second: of pairs, over all processes of a gateway.
    ignored_paths: what differs there does not count. unordered_paths: lists whose items may stand in any order.
    examples: how many of the worst pairs are kept whole, of each kind. keep_requests: with their requests.
    """

    sample_percent: Annotated[int, Integer(minimum=1, maximum=100)] = 100
    max_per_second: Annotated[int, Integer(minimum=1, maximum=MAX_PER_SECOND)] = 10
    absolute_tolerance: Annotated[float, Number(0, 1e300, _TOLERANCE)] = 1e-9
    relative_tolerance: Annotated[float, Number(0, 1e300, _TOLERANCE)] = 1e-6
    ignored_paths: Annotated[tuple[str, ...], _Patterns] = ()
    unordered_paths: Annotated[tuple[str, ...], _Patterns] = ()
    examples: Annotated[int, Integer(minimum=0, maximum=MAX_EXAMPLES)] = 20
    keep_requests: bool = False

    @rule("ignored_paths", "unordered_paths")
    def has_few_patterns(self) -> Iterator[Problem]:
        for name in ("ignored_paths", "unordered_paths"):
            if len(getattr(self, name)) > MAX_PATTERNS:
                yield name, f"At most {MAX_PATTERNS} paths."


def chosen(settings: ComparisonSettings | None) -> dict[str, Any] | None:
    """What was chosen, as plain JSON without defaults; None where nothing is compared."""
    if settings is None:
        return None
    usual = ComparisonSettings()
    names = (field.name for field in dataclasses.fields(settings))
    return {name: to_json(getattr(settings, name)) for name in names if getattr(settings, name) != getattr(usual, name)}


def settings_from(stored: Mapping[str, Any]) -> ComparisonSettings:
    """The settings that `chosen` wrote."""
    known = {field.name for field in dataclasses.fields(ComparisonSettings)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items() if name in known
    }
    return ComparisonSettings(**values)


def verdict_rules(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a verdict, of settings as `chosen` wrote them: pairs judged by other rules belong to another sum."""
    return {key: stored[key] for key in _VERDICT_KEYS if key in stored}
