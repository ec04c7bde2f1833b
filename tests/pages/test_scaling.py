"""A deployment's scaling from a browser: the policy made with forms, read by readers, and what it decided."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint, ScalingDecision
from studio.access.models import User
from tests.pages.conftest import visiting

BLUE = ["diabetes-risk", "blue"]
PLACE = {"endpoint": "diabetes-risk", "name": "blue"}
LIMITS = {
    "minimum": "0",
    "maximum": "5",
    "default": "",
    "idle_timeout": "10m",
    "hold_requests": "50",
    "hold_timeout": "1m",
    "quota_while_asleep": "kept",
}
RULE = {
    "metric": "RequestLatency",
    "resource": "endpoint",
    "statistic": "p99",
    "operator": ">",
    "threshold": "200",
    "window": "5m",
    "direction": "out",
    "amount": "2",
    "cooldown": "3m",
}
SCHEDULE = {
    "name": "weekend",
    "days": ["sat", "sun"],
    "starts": "00:00",
    "ends": "24:00",
    "time_zone": "Pacific Standard Time",
    "minimum": "2",
    "maximum": "2",
    "count": "",
}


def blue() -> OnlineDeployment:
    return OnlineDeployment.objects.get(endpoint__name="diabetes-risk", name="blue")


def send(user: User, part: str, values: dict[str, Any], *more: object) -> Any:
    return visiting(user).post(reverse(f"deployments:{part}", args=[*BLUE, *more]), values)


@pytest.fixture
def scaled(olivia: User, risk: OnlineEndpoint) -> OnlineDeployment:
    services.set_scaling(olivia, **PLACE, policy={"minimum": 0, "maximum": 5, "idle_timeout": "10m"})
    OnlineDeployment.objects.filter(pk=blue().pk).update(failure=None)
    return blue()


def asleep(row: OnlineDeployment) -> None:
    rows = OnlineDeployment.objects.filter(pk=row.pk)
    rows.update(instance_count=0, ready_instances=0, observed_generation=row.generation)


def test_the_first_form_makes_a_policy_that_may_sleep(olivia: User, risk: OnlineEndpoint) -> None:
    assert send(olivia, "scaling-limits", LIMITS).status_code == 302
    policy = blue().scaling
    assert (policy["minimum"], policy["maximum"], policy["idle_timeout"]) == (0, 5, "10m")
    assert (policy["hold"]["requests"], policy["hold"]["timeout"]) == (50, "1m")


def test_what_is_wrong_is_said_at_its_field(olivia: User, risk: OnlineEndpoint) -> None:
    answer = send(olivia, "scaling-limits", {**LIMITS, "minimum": "3", "maximum": "2"})
    assert answer.status_code == 422
    assert "Must be at most the maximum (2), not 3." in answer.text


def test_a_rule_is_put_together_from_a_sentence(scaled: OnlineDeployment, olivia: User) -> None:
    assert send(olivia, "scaling-rule", RULE).status_code == 302
    [rule] = blue().scaling["rules"]
    assert rule == {
        "condition": "RequestLatency > 200 p99 5m",
        "scale": "out 2",
        "cooldown": "3m",
        "resource": "endpoint",
    }
    refused = send(olivia, "scaling-rule", {**RULE, "metric": "RequestsPerMinute"})
    assert (refused.status_code, "Only RequestLatency has percentiles" in refused.text) == (422, True)


def test_a_schedule_is_added_and_taken_away(scaled: OnlineDeployment, olivia: User) -> None:
    assert send(olivia, "scaling-schedule", SCHEDULE).status_code == 302
    assert blue().scaling["schedules"][0]["time_zone"] == "Pacific Standard Time"
    refused = send(olivia, "scaling-schedule", {**SCHEDULE, "time_zone": "Nowhere"})
    assert (refused.status_code, "There is no time zone" in refused.text) == (422, True)
    for _ in range(2):  # the second time it is gone already
        assert send(olivia, "scaling-schedule-remove", {}, 0).status_code == 302
    assert blue().scaling["schedules"] == []


def test_it_is_switched_off_and_removed(scaled: OnlineDeployment, olivia: User) -> None:
    send(olivia, "scaling-switch", {"enabled": "false"})
    assert blue().scaling["enabled"] is False
    send(olivia, "scaling-remove", {})
    assert blue().scaling == {}


def test_a_sleeper_says_so_everywhere_and_is_woken_by_a_button(scaled: OnlineDeployment, olivia: User) -> None:
    asleep(scaled)
    client = visiting(olivia)
    answer = client.get(reverse("deployments:scaling", args=BLUE))
    assert "wakes on the first request" in answer.text and "Wake now" in answer.text
    assert send(olivia, "wake", {}).status_code == 302
    assert blue().instance_count == 1


def test_decisions_come_in_pages_with_their_reasons(scaled: OnlineDeployment, rafael: User) -> None:
    now = timezone.now()
    facts = {"deployment": scaled, "at": now, "last_at": now, "cause": "quota", "before": 1, "given": 4, "wanted": 5}
    rows = [ScalingDecision(**facts, reason=f"Busy {number}.") for number in range(10_000)]
    ScalingDecision.objects.bulk_create(rows)
    answer = visiting(rafael).get(reverse("deployments:scaling", args=BLUE))
    assert "Busy 9999." in answer.text and "Page 1 of 400" in answer.text


def test_a_reader_reads_and_is_offered_nothing(scaled: OnlineDeployment, rafael: User) -> None:
    answer = visiting(rafael).get(reverse("deployments:scaling", args=BLUE))
    assert answer.status_code == 200 and "scaling/limits" not in answer.text
    for part in ("scaling-limits", "scaling-remove", "wake", "sleep", "scaling-switch"):
        assert send(rafael, part, LIMITS).status_code == 403, part
