"""Splits of traffic."""

from __future__ import annotations

import pytest

from endpoints.spec.errors import Invalid
from endpoints.spec.traffic import mirror_problems, parse_split, traffic_problems


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("blue=90 green=10", {"blue": 90, "green": 10}),
        ("blue=100", {"blue": 100}),
        ("Blue=90,green=10%", {"blue": 90, "green": 10}),
        ("  blue = 0   green=100 ", {"blue": 0, "green": 100}),
        ("", {}),
    ],
)
def test_a_split_is_written_as_pairs(text: str, split: dict[str, int]):
    assert parse_split(text) == split


@pytest.mark.parametrize("text", ["blue", "blue=", "blue=90 green", "blue=x", "blue=1.5", "blue=10 BLUE=90"])
def test_what_is_no_split_is_refused(text: str):
    with pytest.raises(Invalid):
        parse_split(text)


def test_an_unknown_deployment_is_named_beside_the_known_ones():
    problems = traffic_problems({"bleu": 100}, deployments=["blue", "green"])
    assert [(problem.field, problem.message) for problem in problems] == [
        ("traffic.bleu", "There is no deployment 'bleu' (deployments: blue, green).")
    ]


@pytest.mark.parametrize(("traffic", "is_right"), [({"a": 50, "b": 50}, True), ({"a": 0}, True), ({"a": 99}, False)])
def test_the_total_is_0_or_100(traffic: dict[str, int], is_right: bool):
    assert (not traffic_problems(traffic)) == is_right


def test_a_mirror_of_zero_is_no_mirror():
    assert mirror_problems({"green": 0, "red": 10}, traffic={"green": 100}) == []


def test_a_limit_can_be_lifted():
    assert mirror_problems({"green": 80}, traffic={"blue": 100})
    assert not mirror_problems({"green": 80}, traffic={"blue": 100}, max_percent=100)


def test_a_mirror_to_nowhere_is_refused():
    problems = mirror_problems({"red": 10}, traffic={"blue": 100}, deployments=["blue"])
    assert problems[0].field == "mirror_traffic.red"
