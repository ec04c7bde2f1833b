"""Comparisons begun, begun anew, forgotten; and a shadow that goes live."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints import services
from endpoints.models import Comparison, ComparisonExample, ComparisonRollup, OnlineDeployment, OnlineEndpoint
from endpoints.spec.errors import Conflict, Forbidden, Invalid
from studio.access.models import AuditRecord, User
from tests.services import world


@pytest.fixture
def mirrored(teammate: User) -> OnlineEndpoint:
    """Blue is live, and green gets a copy of a fifth; green has a ready instance."""
    world.endpoint(teammate)
    for name in ("blue", "green", "red"):
        world.deploy(teammate, name=name)
    OnlineDeployment.objects.filter(name="green").update(ready_instances=1)
    services.set_traffic(teammate, name="risk", traffic={"blue": 100}, mirror_traffic={"green": 20})
    return OnlineEndpoint.objects.get(name="risk")


def compare(teammate: User, **settings: Any) -> None:
    services.update_endpoint(teammate, name="risk", changes={"comparison": settings})


def found_something(comparison: Comparison) -> None:
    """A count that a new beginning must not keep."""
    counted = {"pairs": 1, "live_latency": b"", "shadow_latency": b"", "slower": b"", "faster": b""}
    ComparisonRollup.objects.create(
        endpoint="risk", live="blue", shadow="green", kind="Exact", reason="", grain_s=10, start_s=0, **counted
    )


def test_switching_on_begins_a_comparison_of_the_shadow(mirrored: OnlineEndpoint, teammate: User) -> None:
    assert not Comparison.objects.exists()
    compare(teammate)
    begun = Comparison.objects.get()
    assert (begun.endpoint, begun.shadow, begun.revision, begun.rules) == (mirrored, "green", 1, {})
    mirrored.refresh_from_db()
    assert mirrored.comparison == {}


def test_what_is_chosen_is_kept_without_its_defaults(mirrored: OnlineEndpoint, teammate: User) -> None:
    compare(teammate, max_per_second=5, sample_percent=100, ignored_paths=["$.at"], relative_tolerance="0.01")
    mirrored.refresh_from_db()
    assert mirrored.comparison == {"max_per_second": 5, "ignored_paths": ["$.at"], "relative_tolerance": 0.01}


@pytest.mark.parametrize(
    "changes",
    [{"comparison": {"absolute_tolerance": 1}}, {"comparison": {"unordered_paths": ["$"]}}, {"mirror": {"red": 5}}],
    ids=["another tolerance", "another order", "another shadow"],
)
def test_other_rules_or_another_shadow_begin_anew(
    mirrored: OnlineEndpoint, teammate: User, changes: dict[str, Any]
) -> None:
    compare(teammate)
    begun = Comparison.objects.get()
    found_something(begun)
    if "mirror" in changes:
        changes = {"mirror_traffic": changes["mirror"]}
    services.update_endpoint(teammate, name="risk", changes=changes)
    assert Comparison.objects.get().started_at > begun.started_at
    assert not ComparisonRollup.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"comparison": {"sample_percent": 5, "examples": 3, "keep_requests": True}},
        {"mirror_traffic": {"green": 50}},
        {"comparison": None},
        {"mirror_traffic": {}},
        {"description": "other"},
    ],
    ids=lambda changes: str(changes),
)
def test_anything_else_goes_on_counting(mirrored: OnlineEndpoint, teammate: User, changes: dict[str, Any]) -> None:
    compare(teammate)
    begun = Comparison.objects.get()
    found_something(begun)
    services.update_endpoint(teammate, name="risk", changes=changes)
    assert Comparison.objects.get().started_at == begun.started_at
    assert ComparisonRollup.objects.exists()


def test_an_endpoint_takes_what_was_compared_with_it(mirrored: OnlineEndpoint, teammate: User) -> None:
    compare(teammate)
    mirrored.delete()
    assert not Comparison.objects.exists()
    assert not ComparisonExample.objects.exists()


def test_reset_forgets_and_is_recorded(mirrored: OnlineEndpoint, teammate: User) -> None:
    compare(teammate)
    begun = Comparison.objects.get()
    found_something(begun)
    services.reset_comparison(teammate, name="Risk")
    assert Comparison.objects.get().started_at > begun.started_at
    assert not ComparisonRollup.objects.exists()
    assert AuditRecord.objects.filter(summary="Forget what comparing green found", actor="tariq").exists()


def test_there_must_be_something_to_forget(mirrored: OnlineEndpoint, teammate: User) -> None:
    with pytest.raises(Conflict, match="nothing to forget"):
        services.reset_comparison(teammate, name="risk")


def test_a_reader_neither_resets_nor_promotes(mirrored: OnlineEndpoint, teammate: User, reader: User) -> None:
    compare(teammate)
    with pytest.raises(Forbidden):
        services.reset_comparison(reader, name="risk")
    with pytest.raises(Forbidden):
        services.promote_shadow(reader, name="risk")


def test_promoting_ends_mirroring_and_moves_the_traffic_in_one_change(mirrored: OnlineEndpoint, teammate: User) -> None:
    compare(teammate)
    generation = OnlineEndpoint.objects.get(name="risk").generation
    operation = services.promote_shadow(teammate, name="risk", generation=generation)
    assert operation and operation.summary == "Set traffic to blue=0 green=100, mirror traffic"
    mirrored.refresh_from_db()
    assert (mirrored.traffic, mirrored.mirror_traffic) == ({"blue": 0, "green": 100}, {})
    assert mirrored.generation == generation + 1
    assert Comparison.objects.get().shadow == "green"  # what it found can still be looked at


def test_a_shadow_may_get_a_part_of_the_traffic(mirrored: OnlineEndpoint, teammate: User) -> None:
    services.promote_shadow(teammate, name="risk", percent=10)
    mirrored.refresh_from_db()
    assert mirrored.traffic == {"blue": 90, "green": 10}


def test_going_back_takes_the_comparison_up_again(mirrored: OnlineEndpoint, teammate: User) -> None:
    compare(teammate)
    begun = Comparison.objects.get()
    services.promote_shadow(teammate, name="risk")
    services.set_traffic(teammate, name="risk", traffic={"blue": 100}, mirror_traffic={"green": 20})
    assert Comparison.objects.get().started_at == begun.started_at


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_a_share_is_a_share(mirrored: OnlineEndpoint, teammate: User, percent: int) -> None:
    with pytest.raises(Invalid, match="percent"):
        services.promote_shadow(teammate, name="risk", percent=percent)


def test_what_nobody_looked_at_is_not_promoted(mirrored: OnlineEndpoint, teammate: User) -> None:
    with pytest.raises(Conflict, match="changed since"):
        services.promote_shadow(teammate, name="risk", generation=mirrored.generation - 1)


def test_a_shadow_that_cannot_answer_is_not_promoted(mirrored: OnlineEndpoint, teammate: User) -> None:
    OnlineDeployment.objects.update(ready_instances=0)
    with pytest.raises(Conflict, match="no ready instance"):
        services.promote_shadow(teammate, name="risk")


def test_without_a_shadow_there_is_nothing_to_promote(mirrored: OnlineEndpoint, teammate: User) -> None:
    services.set_traffic(teammate, name="risk", traffic={"blue": 100}, mirror_traffic={})
    with pytest.raises(Conflict, match="no shadow"):
        services.promote_shadow(teammate, name="risk")
