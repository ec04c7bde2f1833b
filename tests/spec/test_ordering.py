"""Documents take effect where nothing they name is missing any more."""

from __future__ import annotations

from endpoints.spec.ordering import in_order, named_deployments

ENDPOINT = {"name": "Risk", "tags": {"a": "b"}, "traffic": {"blue": 100}}
BLUE = {"name": "blue", "endpoint_name": "risk"}


def test_a_split_waits_for_the_deployments_that_come_with_it():
    assert in_order([ENDPOINT, BLUE]) == [
        {"name": "Risk", "tags": {"a": "b"}},
        BLUE,
        {"name": "Risk", "traffic": {"blue": 100}},
    ]


def test_an_endpoint_comes_before_its_deployments_wherever_it_stands():
    assert in_order([BLUE, {"name": "risk"}]) == [{"name": "risk"}, BLUE]


def test_a_split_without_deployments_stays_in_its_document():
    other = {"name": "green", "endpoint_name": "fraud"}
    assert in_order([ENDPOINT, other]) == [ENDPOINT, other]


def test_stopping_a_mirror_is_a_split_of_its_own_only_beside_another():
    document = {"name": "risk", "traffic": {}, "mirror_traffic": {}}
    assert in_order([document, BLUE]) == [document, BLUE]


def test_an_endpoint_answers_for_the_deployments_beside_its_own_document():
    assert named_deployments([ENDPOINT, BLUE, {"name": "x", "endpoint_name": "other"}]) == {"risk": {"blue"}}
