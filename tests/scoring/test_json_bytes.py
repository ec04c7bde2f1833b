"""Answers as JSON: what json.dumps would give, and its words for what it refuses."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.scoring import json_bytes
from endpoints.scoring.json_bytes import to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.booleans() | st.none(), inner),
)


class Grade(int, enum.Enum):
    GOOD = 1


def test_this_python_has_the_fast_way() -> None:
    assert json_bytes._encode is not None


@given(VALUES)
def test_it_is_what_json_dumps_gives(value: object) -> None:
    assert to_json(value) == json.dumps(value).encode()


@pytest.mark.parametrize("value", [Grade.GOOD, (1, 2), OrderedDict(b=1, a=2), "\ud800", float("nan"), 10**400])
def test_odd_values_are_what_json_dumps_gives(value: object) -> None:
    assert to_json(value) == json.dumps(value).encode()


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize("value", [object(), [b"bytes"], {(1, 2): 3}, circle(), {1, 2}])
def test_what_cannot_be_sent_is_refused_in_the_words_of_json_dumps(value: object) -> None:
    with pytest.raises((TypeError, ValueError)) as expected:
        json.dumps(value)
    with pytest.raises(type(expected.value)) as refused:
        to_json(value)
    assert str(refused.value) == str(expected.value)
    assert to_json([1]) == b"[1]"
