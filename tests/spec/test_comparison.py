"""The section `comparison` of an endpoint's document."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.spec.comparison import ComparisonSettings, chosen, settings_from, verdict_rules
from endpoints.spec.documents import OnlineEndpointDocument
from endpoints.spec.errors import Invalid


def read(value: object) -> ComparisonSettings | None:
    return OnlineEndpointDocument.read({"name": "risk", "comparison": value}).comparison


def test_nothing_is_compared_unless_it_is_asked_for() -> None:
    assert OnlineEndpointDocument.read({"name": "risk"}).comparison is None
    assert "comparison" not in OnlineEndpointDocument.read({"name": "risk"}).to_json()


def test_an_empty_section_compares_with_the_defaults_and_keeps_no_request() -> None:
    found = read({})
    assert found == ComparisonSettings()
    assert (found.sample_percent, found.max_per_second, found.keep_requests) == (100, 10, False)


def test_a_document_with_it_reads_back_as_it_is() -> None:
    document = OnlineEndpointDocument.read({"name": "risk", "comparison": {"ignored_paths": ["$..id"], "examples": 0}})
    assert OnlineEndpointDocument.read(document.to_json()) == document


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_percent", 0),
        ("sample_percent", 101),
        ("max_per_second", 0),
        ("max_per_second", 1000),
        ("absolute_tolerance", -1),
        ("relative_tolerance", "nan"),
        ("relative_tolerance", True),
        ("examples", 101),
        ("keep_requests", "perhaps"),
        ("ignored_paths", "$.at"),
        ("ignored_paths", ["at"]),
        ("unordered_paths", ["$.a"] * 51),
        ("tolerance", 1),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        read({field: value})
    assert refused.value.details[0].field.startswith(f"comparison.{field}")


@pytest.mark.parametrize("values", [{}, {"absolute_tolerance": 0.5, "ignored_paths": ["$.at"], "keep_requests": True}])
def test_what_is_stored_is_what_was_chosen(values: dict[str, Any]) -> None:
    settings = read(values)
    assert chosen(settings) == values
    assert settings_from(values) == settings


def test_only_what_decides_a_verdict_makes_another_comparison() -> None:
    assert verdict_rules({"examples": 3, "sample_percent": 5}) == {}
    assert verdict_rules({"examples": 3, "unordered_paths": ["$"]}) == {"unordered_paths": ["$"]}
