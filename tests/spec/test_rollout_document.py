"""A rollout's document: what it takes, and what it refuses with which words."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.spec.errors import Invalid
from endpoints.spec.rollout_document import RolloutDocument

GOOD: dict[str, Any] = {
    "endpoint_name": "Risk",
    "from": "Blue",
    "to": "green",
    "stages": [{"percent": 10, "seconds": 60}, {"percent": 100, "requests": 500}],
    "gates": [{"metric": "p99", "max_ratio": 1.5}],
}


def test_the_shortest_document_has_sensible_bounds() -> None:
    document = RolloutDocument.read(GOOD)
    assert (document.endpoint_name, document.from_deployment, document.to_deployment) == ("risk", "blue", "green")
    assert (document.window_seconds, document.min_requests, document.timeout_seconds) == (60, 20, 3600)
    assert document.finish.old == "keep"


def test_what_is_stored_reads_the_same_again() -> None:
    document = RolloutDocument.read({**GOOD, "finish": {"old": "scale", "instance_count": 2}})
    assert RolloutDocument.read(document.to_json()) == document


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"to": "blue"}, "to_deployment", "from one deployment to another"),
        ({"stages": []}, "stages", "1 to 20 stages"),
        ({"stages": [{"percent": 50, "seconds": 1}, {"percent": 50, "seconds": 1}]}, "stages", "Stage 2"),
        ({"stages": [{"percent": 10}]}, "stages[0].seconds", "how long"),
        ({"stages": [{"percent": 101, "seconds": 5}]}, "stages[0].percent", "at most 100"),
        ({"stages": [{"percent": 10, "seconds": 4000}]}, "timeout_seconds", "more time"),
        ({"gates": []}, "gates", "1 to 20 gates"),
        ({"gates": [{"metric": "p99"}]}, "gates[0].max", "a bound"),
        ({"gates": [{"metric": "p99", "max": "nan"}]}, "gates[0].max", "number"),
        ({"gates": [{"metric": "p99", "max_ratio": 0}]}, "gates[0].max_ratio", "above 0"),
        ({"window_seconds": 3}, "window_seconds", "at least 5"),
        ({"finish": {"old": "burn"}}, "finish.old", "not in set"),
        ({"mirror": 5}, "mirror", "Unknown key"),
    ],
)
def test_a_mistake_is_told_by_its_field(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        RolloutDocument.read({**GOOD, **changes})
    assert [(one.field, words in one.message) for one in refused.value.details] == [(field, True)]
