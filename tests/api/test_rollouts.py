"""Rollouts over REST: started from JSON and YAML, looked at, and moved by hand."""

from __future__ import annotations

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import Rollout
from studio.access import actions
from studio.access.models import Role, User
from tests.api.conftest import door_of
from tests.people import person
from tests.services import rollouts as scene

ROLLOUTS = "/api/v1/online-endpoints/risk/rollouts"
YAML = """
from: blue
to: green
stages:
  - {percent: 10, seconds: 30}
gates:
  - metric: error_rate
    max: 5
"""


@pytest.fixture
def risk(owner: User) -> None:
    scene.two_deployments(owner)


def test_a_rollout_is_started_by_a_document_in_yaml(door: APIClient, risk: None) -> None:
    answer = door.post(ROLLOUTS, YAML, content_type="application/yaml")
    assert (answer.status_code, answer.data["number"], answer.data["state"]) == (201, 1, "Running")
    assert scene.traffic() == {"blue": 90, "green": 10}


def test_a_mistake_is_told_with_its_line(door: APIClient, risk: None) -> None:
    answer = door.post(ROLLOUTS, YAML.replace("max: 5", "max: lots"), content_type="application/yaml")
    (first, *_) = answer.data["error"]["details"]
    assert (answer.status_code, first["field"], first["line"]) == (400, "gates[0].max", 8)


def test_the_document_and_the_address_speak_of_one_endpoint(door: APIClient, risk: None) -> None:
    answer = door.post(ROLLOUTS, {**scene.DOCUMENT, "endpoint_name": "fraud"}, format="json")
    assert answer.data["error"]["details"][0]["field"] == "endpoint_name"


def test_a_second_one_is_refused_while_one_is_under_way(door: APIClient, risk: None) -> None:
    door.post(ROLLOUTS, scene.DOCUMENT, format="json")
    assert door.post(ROLLOUTS, scene.DOCUMENT, format="json").status_code == 409


def test_it_shows_both_deployments_as_they_are_now(door: APIClient, risk: None) -> None:
    door.post(ROLLOUTS, scene.DOCUMENT, format="json")
    now = door.get(f"{ROLLOUTS}/1").data["now"]
    assert set(now) == {"blue", "green"}
    assert set(now["green"]) == {"recent", "stage"} and now["green"]["stage"]["requests"] == 0


@pytest.mark.parametrize(
    ("verb", "state", "traffic"),
    [
        ("pause", "Paused", {"blue": 90, "green": 10}),
        ("resume", "Running", {"blue": 90, "green": 10}),
        ("promote", "Running", {"green": 100}),
        ("abort", "RolledBack", {"blue": 100}),
    ],
)
def test_it_is_moved_by_hand(door: APIClient, risk: None, verb: str, state: str, traffic: dict[str, int]) -> None:
    door.post(ROLLOUTS, scene.DOCUMENT, format="json")
    answer = door.post(f"{ROLLOUTS}/1/{verb}")
    assert (answer.status_code, answer.data["state"], scene.traffic()) == (200, state, traffic)


def test_log_lines_in_the_evidence_are_for_those_who_may_read_logs(risk: None, owner: User) -> None:
    rollout = scene.start(owner)
    evidence: dict[str, object] = {"log": ["12:00 ERROR secret"], "gates": [], "window": {}, "broken": None}
    Rollout.objects.filter(pk=rollout.pk).update(evidence=evidence, finished_at=timezone.now())
    assert door_of(owner).get(f"{ROLLOUTS}/1").data["evidence"]["log"] == ["12:00 ERROR secret"]
    Role.objects.create(name="Blind", actions=[actions.ENDPOINTS_READ, actions.DEPLOYMENTS_READ])
    blind = door_of(person("bea", "Blind"))
    assert blind.get(f"{ROLLOUTS}/1").data["evidence"]["log"] == []
