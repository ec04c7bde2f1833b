"""Patterns of places in JSON values."""

from __future__ import annotations

import pytest

from endpoints.spec.json_paths import Path, Patterns, generalised, pattern_problem, written


def is_meant(pattern: str, path: Path) -> bool:
    patterns = Patterns([pattern])
    positions = patterns.start
    for key in path:
        positions = patterns.step(positions, key)
    return patterns.is_meant(positions)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("$", ()),
        ("$.at", ("at",)),
        ("$..id", ("id",)),
        ("$..id", ("a", 3, "id")),
        ("$..a.b", ("a", "a", "b")),
        ("$.items[*].at", ("items", 7, "at")),
        ("$.items[0]", ("items", 0)),
        ("$['odd.key'][\"x\"]", ("odd.key", "x")),
        ("$..[0]", ("a", "b", 0)),
        ("$..*", ("a", "b")),
        ("$.*", ("a",)),
        ("$.two words", ("two words",)),
    ],
)
def test_a_pattern_means_a_place(pattern: str, path: Path) -> None:
    assert is_meant(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("$.at", ("x", "at")), ("$..id", ("id", "x")), ("$.a[0]", ("a", "0")), ("$.*", ("a", "b")), ("$", ("a",))],
)
def test_and_no_other(pattern: str, path: Path) -> None:
    assert not is_meant(pattern, path)


@pytest.mark.parametrize("text", ["timestamp", "", "$.", "$..", "$[", "$[x]", "$.a b]", "$" + ".a" * 101])
def test_what_is_no_pattern_is_told(text: str) -> None:
    assert pattern_problem(text)


def test_a_place_is_written_as_a_pattern_that_means_it() -> None:
    path: Path = ("items", 3, "two words", "x-y")
    assert written(path) == '$.items[3]["two words"].x-y'
    assert is_meant(written(path), path)
    assert generalised(path) == '$.items[*]["two words"].x-y'
