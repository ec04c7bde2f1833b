"""`slipway online-deployment revisions|rollback|cancel|retry`"""

from __future__ import annotations

from collections.abc import Callable

from tests.cli.conftest import Ran, Studio
from tests.cli.test_deployments import BLUE, DEPLOYMENTS, DONE

Slipway = Callable[..., Ran]
WHERE = ("-n", "blue", "-e", "my-endpoint")
CHANGE = {"field": "instance_type", "before": "Standard_DS2_v2", "after": "Standard_DS3_v2"}
HISTORY = [
    {"revision": 2, "created_by": "olga", "created_at": "2026-01-31T12:00:00Z", "is_wanted": True, "is_proven": True,
     "instances": 3, "changes": [CHANGE]},
    {"revision": 1, "created_by": "olga", "created_at": "2026-01-30T12:00:00Z", "is_wanted": False, "is_proven": False,
     "instances": 0, "changes": []},
]  # fmt: skip


def test_the_table_says_what_each_changed(studio: Studio, slipway: Slipway):
    studio.on("GET", f"{DEPLOYMENTS}/blue/revisions", HISTORY)
    ran = slipway("online-deployment", "revisions", *WHERE, "-o", "table")
    head, _, newest, first = ran.out.rstrip().splitlines()
    assert head.split() == ["Revision", "Wanted", "Instances", "By", "At", "Changed"]
    assert newest.split()[:3] == ["2", "yes", "3"] and newest.endswith("instance_type")
    assert first.split()[0] == "1"


def test_two_are_compared_field_by_field(studio: Studio, slipway: Slipway):
    answer = {"revision": 2, "against": 1, "document": {}, "changes": [CHANGE]}
    studio.on("GET", f"{DEPLOYMENTS}/blue/revisions/2", answer)
    ran = slipway("online-deployment", "revisions", *WHERE, "--revision", "2", "--against", "1", "-o", "table")
    assert ran.out.splitlines()[2].split() == ["instance_type", "Standard_DS2_v2", "Standard_DS3_v2"]
    assert studio.sent("GET", f"{DEPLOYMENTS}/blue/revisions/2")[0].query == {"against": "1"}


def test_comparing_needs_to_know_what(studio: Studio, slipway: Slipway):
    ran = slipway("online-deployment", "revisions", *WHERE, "--against", "1")
    assert ran.code == 2 and "--revision" in ran.err


def test_rollback_names_the_revision_and_waits(studio: Studio, slipway: Slipway):
    studio.on("POST", f"{DEPLOYMENTS}/blue/rollback", DONE)
    studio.on("GET", f"{DEPLOYMENTS}/blue", BLUE)
    ran = slipway("online-deployment", "rollback", *WHERE, "--revision", "1")
    assert (ran.code, ran.json) == (0, BLUE)
    assert studio.sent("POST", f"{DEPLOYMENTS}/blue/rollback")[0].json == {"revision": 1}
    assert "done  Check quota" in ran.err


def test_cancel_finds_the_operation_under_way(studio: Studio, slipway: Slipway):
    rows = [{"id": "op-2", "state": "Running"}, {"id": "op-1", "state": "Succeeded"}]
    studio.on("GET", "operations", rows)
    studio.on("POST", "operations/op-2/cancel", {})
    studio.on("GET", f"{DEPLOYMENTS}/blue", BLUE)
    assert slipway("online-deployment", "cancel", *WHERE).json == BLUE
    assert studio.sent("POST", "operations/op-2/cancel")


def test_cancel_says_when_there_is_nothing_to_cancel(studio: Studio, slipway: Slipway):
    studio.on("GET", "operations", [])
    ran = slipway("online-deployment", "cancel", *WHERE)
    assert ran.code == 1 and "nothing to cancel" in ran.err


def test_retry_is_followed(studio: Studio, slipway: Slipway):
    studio.on("POST", f"{DEPLOYMENTS}/blue/retry", DONE)
    studio.on("GET", f"{DEPLOYMENTS}/blue", BLUE)
    ran = slipway("online-deployment", "retry", *WHERE)
    assert (ran.code, ran.json) == (0, BLUE)
