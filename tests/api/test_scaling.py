"""Scaling policies over REST."""

from __future__ import annotations

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import OnlineDeployment, ScalingDecision

D = "/api/v1/online-endpoints/risk/deployments/blue"
POLICY = {"minimum": 0, "maximum": 5, "default": 2, "idle_timeout": "10m"}


@pytest.fixture
def scaled(door: APIClient, workspace: object) -> APIClient:
    assert door.put(f"{D}/scaling", POLICY, format="json").status_code == 202
    row = OnlineDeployment.objects.get()
    OnlineDeployment.objects.update(observed_generation=row.generation, observed_revision=row.revision)
    return door


def test_a_policy_is_shown_with_how_the_deployment_stands(scaled: APIClient) -> None:
    shown = scaled.get(f"{D}/scaling").data
    assert (shown["name"], shown["state"], shown["minimum"], shown["maximum"]) == ("risk-blue", "awake", 0, 5)
    assert shown["policy"]["idle_timeout"] == "10m"
    assert [each["name"] for each in scaled.get("/api/v1/scaling-policies?name=risk-blue").data] == ["risk-blue"]
    assert scaled.get("/api/v1/scaling-policies?name=other").data == []


def test_keys_are_changed_one_by_one_and_a_wrong_one_is_named(scaled: APIClient) -> None:
    assert scaled.patch(f"{D}/scaling", {"maximum": 7}, format="json").status_code == 202
    assert scaled.get(f"{D}/scaling").data["maximum"] == 7
    refused = scaled.patch(f"{D}/scaling", {"maxmum": 7}, format="json")
    assert refused.status_code == 400
    assert "did you mean 'maximum'" in refused.data["error"]["details"][0]["message"]


def test_a_policy_that_is_removed_is_gone(scaled: APIClient) -> None:
    assert scaled.delete(f"{D}/scaling").status_code == 202
    assert scaled.get(f"{D}/scaling").data["policy"] is None
    assert scaled.delete(f"{D}/scaling").status_code == 409


def test_it_is_put_to_sleep_and_woken(scaled: APIClient) -> None:
    assert scaled.post(f"{D}/sleep").data["operation"]["summary"] == "Fall asleep: Put to sleep by hand."
    assert scaled.get(D).data["is_asleep"]
    assert scaled.post(f"{D}/wake").data["operation"]["summary"] == "Wake up: Woken by hand."
    assert scaled.post(f"{D}/wake").data == {"operation": None}


def test_ten_thousand_decisions_come_in_pages_newest_first(scaled: APIClient) -> None:
    row = OnlineDeployment.objects.get()
    now = timezone.now()
    facts = {"deployment": row, "at": now, "last_at": now, "cause": "rule", "before": 1, "given": 2}
    ScalingDecision.objects.bulk_create(ScalingDecision(**facts, wanted=number) for number in range(10_000))
    answer = scaled.get(f"{D}/scaling/decisions?limit=3")
    assert [each["wanted"] for each in answer.data] == [9999, 9998, 9997]
    assert answer["X-Total-Count"] == "10000"
