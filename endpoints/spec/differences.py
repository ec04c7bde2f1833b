"""What differs between two documents, field by field. Pure; knows no field by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, as a dotted path. None: the field is not there."""

    field: str
    before: object
    after: object


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[Difference]:
    """Every field that is not the same in both, in the order of the documents. Lists are compared as a whole."""
    return list(_within("", before, after))


def _within(path: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Difference]:
    for key in dict.fromkeys((*after, *before)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _within(f"{path}{key}.", old, new)
        else:
            yield Difference(f"{path}{key}", old, new)
