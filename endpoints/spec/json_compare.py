"""Two JSON values beside each other: the same, close in their numbers, or where they differ. Pure.

Which of the two is which makes no difference to whether they agree, and a wider tolerance never makes them disagree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from endpoints.spec.comparison import ComparisonSettings
from endpoints.spec.json_paths import Key, Path, Patterns, Positions, generalised, written

MAX_LISTED = 50  # differences kept of one pair, and different fields told apart in it
MATCHED_IN_FULL = 64  # so many left over items of two unordered lists are matched each with each


class _Missing:
    """Stands for what one side does not have."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which two answers differ. path: `$.a[3].b`. MISSING: not there.

    size: the distance of two numbers; None where they are not both numbers.
    """

    path: str
    live: object
    shadow: object
    size: float | None = None


class Rules:
    """Settings made ready for walking; make it once for many pairs."""

    def __init__(self, settings: ComparisonSettings) -> None:
        self.absolute = settings.absolute_tolerance
        self.relative = settings.relative_tolerance
        self.ignored = Patterns(settings.ignored_paths)
        self.unordered = Patterns(settings.unordered_paths)

    def is_close(self, one: float, other: float) -> bool:
        """Whether two numbers that are not equal are near enough to each other."""
        if math.isinf(one) or math.isinf(other) or math.isnan(one) or math.isnan(other):
            return False
        return abs(one - other) <= max(self.absolute, self.relative * max(abs(one), abs(other)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk is, and where the patterns stand there."""

    path: Path
    ignored: Positions
    unordered: Positions


@dataclass(slots=True)
class Walk:
    """What a walk found.

    count: of differing places. divergence: the sum over them of how far apart they are, each from 0 to 1; numbers by
    their relative distance, anything else 1. fields: by place without list indexes, the largest size met there.
    """

    rules: Rules
    is_exact: bool = True
    count: int = 0
    divergence: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    fields: dict[str, float | None] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        return not self.count

    def run(self, live: object, shadow: object) -> Walk:
        """Compare two whole values."""
        self.walk(live, shadow, Place((), self.rules.ignored.start, self.rules.unordered.start))
        return self

    def note(self, path: Path, live: object, shadow: object, *, size: float | None = None, weight: float = 1.0) -> None:
        """They differ here."""
        self.is_exact = False
        self.count += 1
        self.divergence += weight
        if len(self.differences) < MAX_LISTED:
            self.differences.append(Difference(written(path), live, shadow, size))
        name = generalised(path)
        if name in self.fields:
            sizes = [each for each in (self.fields[name], size) if each is not None]
            self.fields[name] = max(sizes, default=None)
        elif len(self.fields) < MAX_LISTED:
            self.fields[name] = size

    def walk(self, live: object, shadow: object, place: Place) -> None:
        """Compare what stands at one place."""
        if self.rules.ignored.is_meant(place.ignored):
            return
        if isinstance(live, dict) and isinstance(shadow, dict):
            for key in {**live, **shadow}:
                self.walk(live.get(key, MISSING), shadow.get(key, MISSING), self._below(place, key))
        elif isinstance(live, list) and isinstance(shadow, list):
            for key, one, other in self._paired(live, shadow, place):
                self.walk(one, other, self._below(place, key))
        elif _is_number(live) and _is_number(shadow):
            self._numbers(live, shadow, place.path)
        elif type(live) is not type(shadow) or live != shadow:
            self.note(place.path, live, shadow)

    def _below(self, place: Place, key: Key) -> Place:
        rules = self.rules
        return Place(
            (*place.path, key), rules.ignored.step(place.ignored, key), rules.unordered.step(place.unordered, key)
        )

    def _numbers(self, live: Any, shadow: Any, path: Path) -> None:
        if live == shadow or (live != live and shadow != shadow):  # NaN is not equal to itself
            return
        try:
            one, other = float(live), float(shadow)
        except OverflowError:  # whole numbers beyond every float
            self.note(path, live, shadow)
            return
        if self.rules.is_close(one, other):
            self.is_exact = False
            return
        size = abs(one - other)
        if not math.isfinite(size):
            self.note(path, live, shadow)
            return
        self.note(path, live, shadow, size=size, weight=min(1.0, size / max(abs(one), abs(other))) if size else 0.0)

    # Lists ---------------------------------------------------------------------------------------------------

    def _paired(
        self, live: Sequence[object], shadow: Sequence[object], place: Place
    ) -> Iterator[tuple[int, object, object]]:
        """Which item is held against which: (index, live, shadow)."""
        if not self.rules.unordered.is_meant(place.unordered):
            yield from _in_order(list(enumerate(live)), list(enumerate(shadow)))
        elif all(map(_is_number, (*live, *shadow))):
            # Sorted numbers pair off best: whatever else could be near enough is not nearer.
            yield from _in_order(sorted(enumerate(live), key=_by_value), sorted(enumerate(shadow), key=_by_value))
        else:
            yield from self._matched(live, shadow, place)

    def _matched(
        self, live: Sequence[object], shadow: Sequence[object], place: Place
    ) -> Iterator[tuple[int, object, object]]:
        """Those that are the same first, then those that agree as far as that goes, the others as they come."""
        ours, theirs = self._keyed(live, place), self._keyed(shadow, place)
        waiting: dict[str, list[int]] = {}
        for number, (key, _, _) in enumerate(theirs):
            waiting.setdefault(key, []).append(number)
        left = []
        for entry in ours:
            if same := waiting.get(entry[0]):
                same.pop()
            else:
                left.append(entry)
        rest = [theirs[number] for numbers in waiting.values() for number in numbers]
        rest.sort(key=lambda entry: (entry[0], entry[1]))
        left.sort(key=lambda entry: (entry[0], entry[1]))
        mine = [(index, value) for _, index, value in left]
        other = [(index, value) for _, index, value in rest]
        if len(mine) <= MATCHED_IN_FULL and len(other) <= MATCHED_IN_FULL:
            found = _matching(len(mine), self._agreeing(mine, other, place))
            for one, partner in found.items():
                yield mine[one][0], mine[one][1], other[partner][1]
            mine = [entry for number, entry in enumerate(mine) if number not in found]
            taken = set(found.values())
            other = [entry for number, entry in enumerate(other) if number not in taken]
        yield from _in_order(mine, other)

    def _keyed(self, items: Sequence[object], place: Place) -> list[tuple[str, int, object]]:
        """(what is the same for items that are the same, index, item)."""
        keyed = []
        for index, item in enumerate(items):
            below = self._below(place, index)
            keyed.append((json.dumps(self._pruned(item, below), sort_keys=True), index, item))
        return keyed

    def _pruned(self, value: object, place: Place) -> object:
        """Without what is ignored; 1.0 as 1."""
        if self.rules.ignored.is_meant(place.ignored):
            return None
        if isinstance(value, dict):
            return {key: self._pruned(each, self._below(place, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._pruned(each, self._below(place, index)) for index, each in enumerate(value)]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def _agreeing(
        self, mine: Sequence[tuple[int, object]], other: Sequence[tuple[int, object]], place: Place
    ) -> list[list[int]]:
        """For each of mine the numbers of those it agrees with."""
        agreeing = []
        for index, one in mine:
            below = self._below(place, index)
            found = []
            for number, (_, candidate) in enumerate(other):
                trial = Walk(self.rules)
                trial.walk(one, candidate, below)
                if trial.agrees:
                    found.append(number)
            agreeing.append(found)
        return agreeing


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _by_value(entry: tuple[int, Any]) -> tuple[bool, Any, int]:
    index, value = entry
    is_nan = value != value
    return is_nan, 0 if is_nan else value, index


def _in_order(
    live: Sequence[tuple[int, object]], shadow: Sequence[tuple[int, object]]
) -> Iterator[tuple[int, object, object]]:
    for number in range(max(len(live), len(shadow))):
        index = live[number][0] if number < len(live) else shadow[number][0]
        yield (
            index,
            live[number][1] if number < len(live) else MISSING,
            shadow[number][1] if number < len(shadow) else MISSING,
        )


def _matching(count: int, agreeing: Sequence[Sequence[int]]) -> dict[int, int]:
    """As many pairs as there can be: ours -> theirs, by augmenting paths."""
    partner_of: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for candidate in agreeing[one]:
            if candidate not in tried:
                tried.add(candidate)
                if candidate not in partner_of or place(partner_of[candidate], tried):
                    partner_of[candidate] = one
                    return True
        return False

    for one in range(count):
        place(one, set())
    return {ours: theirs for theirs, ours in partner_of.items()}
