"""Room for a new deployment in a live split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.spec.shares import with_share


def test_the_others_give_in_proportion() -> None:
    assert with_share({"blue": 100}, "green", 10) == {"blue": 90, "green": 10}
    assert with_share({"blue": 75, "red": 25}, "green", 20) == {"blue": 60, "red": 20, "green": 20}


def test_everything_leaves_the_others_with_nothing() -> None:
    assert with_share({"blue": 60, "red": 40}, "green", 100) == {"blue": 0, "red": 0, "green": 100}


def test_without_live_traffic_the_new_one_takes_all() -> None:
    assert with_share({}, "blue", 100) == {"blue": 100}
    assert with_share({"old": 0}, "blue", 30) == {"old": 0, "blue": 100}


@pytest.mark.parametrize("percent", [1, 33, 50, 99])
def test_rounding_never_loses_a_percent(percent: int) -> None:
    assert sum(with_share({"a": 33, "b": 33, "c": 34}, "new", percent).values()) == 100


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8), st.integers(0, 100))
def test_any_split_stays_whole_and_no_share_grows(weights: list[int], percent: int) -> None:
    traffic = {f"d{index}": weight for index, weight in enumerate(weights)}
    split = with_share(traffic, "new", percent)
    assert sum(split.values()) == 100
    total = sum(weights)
    for name, share in traffic.items():
        assert 0 <= split[name] <= (100 * share / total if total else 0) + 1
