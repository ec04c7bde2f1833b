"""`slipway monitor autoscale …`, as `az monitor autoscale` is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Ran, Studio

ID = (
    "/subscriptions/1/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    "/onlineEndpoints/risk/deployments/blue"
)
S = "online-endpoints/risk/deployments/blue/scaling"
Slipway = Callable[..., Ran]


def shown(policy: dict[str, Any] | None) -> dict[str, Any]:
    return {"name": "mine", "endpoint_name": "risk", "deployment_name": "blue", "policy": policy, "state": "awake"}


@pytest.fixture
def known(studio: Studio) -> Studio:
    """A studio with a policy named mine."""
    studio.on("GET", "scaling-policies", [shown({})])
    studio.on("GET", S, shown({"minimum": 2, "rules": [{"condition": "a", "scale": "in 1"}]}))
    studio.on("PATCH", S, {"operation": None})
    return studio


@pytest.mark.parametrize("resource", [ID, "risk/blue", "Risk/Blue"])
def test_a_policy_is_made_for_a_resource_id_or_plain_names(studio: Studio, slipway: Slipway, resource: str) -> None:
    studio.on("GET", S, shown(None), shown({}))
    studio.on("PUT", S, {"operation": None})
    words = ("--name", "mine", "--min-count", "2", "--max-count", "5", "--count", "2")
    ran = slipway("monitor", "autoscale", "create", "-g", "group", "--resource", resource, *words)
    assert ran.code == 0, ran.err
    [sent] = studio.sent("PUT", S)
    assert sent.json == {"minimum": 2, "maximum": 5, "default": 2, "enabled": True, "name": "mine"}


def test_a_second_policy_for_the_same_deployment_is_refused(known: Studio, slipway: Slipway) -> None:
    ran = slipway("monitor", "autoscale", "create", "--resource", ID, "--count", "2")
    assert ran.code == 1
    assert "has a scaling policy already" in ran.err


@pytest.mark.parametrize(
    "condition", [["CpuUtilizationPercentage > 70 avg 5m"], ["RequestLatency", ">", "70", "p99", "5m"]]
)
def test_a_rule_is_added_to_those_there_are(known: Studio, slipway: Slipway, condition: list[str]) -> None:
    words = ("--condition", *condition, "--scale", "out", "2", "--cooldown", "3")
    ran = slipway("monitor", "autoscale", "rule", "create", "--autoscale-name", "mine", *words)
    assert ran.code == 0, ran.err
    [sent] = known.sent("PATCH", S)
    rule = {"condition": " ".join(condition), "scale": "out 2", "cooldown": "3m", "resource": "deployment"}
    assert sent.json == {"rules": [{"condition": "a", "scale": "in 1"}, rule]}


def test_a_rule_may_look_at_the_endpoint(known: Studio, slipway: Slipway) -> None:
    words = ("--condition", "RequestLatency > 70 avg 5m", "--scale", "out 1", "--resource", ID.partition("/deploy")[0])
    assert slipway("monitor", "autoscale", "rule", "create", "--autoscale-name", "mine", *words).code == 0
    assert known.sent("PATCH", S)[0].json["rules"][1]["resource"] == "endpoint"


def test_a_rule_that_cannot_be_read_is_told_before_anything_is_sent(known: Studio, slipway: Slipway) -> None:
    words = ("--condition", "Cpus > 70 avg 5m", "--scale", "out 1")
    ran = slipway("monitor", "autoscale", "rule", "create", "--autoscale-name", "mine", *words)
    assert ran.code == 2
    assert "There is no metric 'Cpus'" in ran.err
    assert not known.asked


def test_rules_are_removed_by_their_place(known: Studio, slipway: Slipway) -> None:
    rule = ("monitor", "autoscale", "rule", "delete", "--autoscale-name", "mine", "--index")
    assert "There is no rule '4'" in slipway(*rule, "4").err
    assert slipway(*rule, "0").code == 0
    assert known.sent("PATCH", S)[0].json == {"rules": []}


def test_a_profile_for_the_weekend_is_written_as_azure_writes_it(known: Studio, slipway: Slipway) -> None:
    counts = ("--min-count", "2", "--count", "2", "--max-count", "2")
    days = ("--recurrence", "week", "sat", "sun", "--timezone", "Pacific Standard Time")
    names = ("--name", "weekend", "--autoscale-name", "mine")
    assert slipway("monitor", "autoscale", "profile", "create", *names, *counts, *days).code == 0
    [schedule] = known.sent("PATCH", S)[0].json["schedules"]
    assert (schedule["days"], schedule["time_zone"]) == (["sat", "sun"], "Pacific Standard Time")
    assert (schedule["starts"], schedule["ends"], schedule["count"]) == ("00:00", "23:59", 2)


def test_a_policy_is_switched_off_and_on(known: Studio, slipway: Slipway) -> None:
    assert slipway("monitor", "autoscale", "disable", "-n", "mine").code == 0
    assert slipway("monitor", "autoscale", "update", "-n", "mine", "--enabled", "true").code == 0
    assert [each.json for each in known.sent("PATCH", S)] == [{"enabled": False}, {"enabled": "true"}]


def test_an_unknown_policy_says_how_to_list_them(studio: Studio, slipway: Slipway) -> None:
    studio.on("GET", "scaling-policies", [])
    ran = slipway("monitor", "autoscale", "show", "-n", "mine")
    assert ran.code == 1
    assert "slipway monitor autoscale list" in ran.err


def test_a_resource_that_names_no_deployment_says_what_does(studio: Studio, slipway: Slipway) -> None:
    ran = slipway("monitor", "autoscale", "create", "--resource", "blue", "--count", "1")
    assert ran.code == 2
    assert "<endpoint>/<deployment>" in ran.err


def test_decisions_are_a_table(known: Studio, slipway: Slipway) -> None:
    decision = {"last_at": "now", "cause": "quota", "before": 1, "wanted": 5, "given": 4, "reason": "Busy."}
    known.on("GET", f"{S}/decisions", [decision])
    ran = slipway("monitor", "autoscale", "decisions", "--resource", "risk/blue", "-o", "table")
    assert "quota" in ran.out
    assert "Busy." in ran.out


def test_a_sleeper_is_woken_by_name(studio: Studio, slipway: Slipway) -> None:
    studio.on("POST", "online-endpoints/risk/deployments/blue/wake", {"operation": None})
    studio.on("GET", "online-endpoints/risk/deployments/blue", {"name": "blue"})
    ran = slipway("online-deployment", "wake", "-n", "blue", "-e", "risk")
    assert (ran.code, ran.json) == (0, {"name": "blue"})
