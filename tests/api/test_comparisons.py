"""Comparisons over REST: figures for readers, answers for few."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import Comparison, OnlineDeployment, OnlineEndpoint
from endpoints.spec.pairs import AnswerSeen
from endpoints.telemetry import pairs
from tests.api.conftest import door_of
from tests.people import person
from tests.telemetry.test_pairs import encoded, pair

E = "/api/v1/online-endpoints/risk"


@pytest.fixture
def compared(door: APIClient, workspace: object) -> APIClient:
    """Blue is mirrored to; of four pairs one differs and one failed."""
    settings = {"comparison": {"keep_requests": True, "ignored_paths": ["$.at"]}, "mirror_traffic": {"blue": 10}}
    assert door.patch(E, settings, format="json").status_code == 202
    Comparison.objects.update(started_at=timezone.now() - timedelta(minutes=5))
    OnlineEndpoint.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    now = timezone.now() - timedelta(minutes=1)
    of_blue: dict[str, Any] = {"at": now, "live_deployment": "old", "shadow_deployment": "blue"}
    raised = AnswerSeen(status=500, microseconds=5000, body=b"\xff")
    found = (
        pair(**of_blue),
        pair({"n": 1, "at": 1}, {"n": 1.0000000001, "at": 2}, **of_blue),
        pair({"n": 1}, {"n": 3}, request=b'{"x": 1}', **of_blue),
        pair(shadow=raised, **of_blue),
    )
    assert pairs.take([encoded(*found)], now=now) == 4
    return door


def test_rates_fields_and_latencies_are_told(compared: APIClient) -> None:
    told = compared.get(f"{E}/comparison").data
    assert (told["state"], told["shadow"], told["percent"], told["compared_shadow"]) == ("on", "blue", 10, "blue")
    assert (told["pairs"], told["agreement_percent"]) == (4, 50.0)
    assert {kind: count for kind, count in told["kinds"].items() if count} == {
        "Exact": 1, "Close": 1, "Different": 1, "ShadowError": 1,
    }  # fmt: skip
    assert [dict(one) for one in told["reasons"]] == [{"kind": "ShadowError", "reason": "Status500", "pairs": 1}]
    assert told["fields"][0]["path"] == "$.n"
    assert told["fields"][0]["largest"] == pytest.approx(2, rel=0.02)
    assert told["latency_ms"]["live"]["p50"] == pytest.approx(10, rel=0.02)
    assert told["settings"]["ignored_paths"] == ["$.at"]


def test_the_endpoint_says_what_is_chosen(compared: APIClient) -> None:
    assert compared.get(E).data["comparison"] == {"keep_requests": True, "ignored_paths": ["$.at"]}
    assert compared.patch(E, {"comparison": None}, format="json").status_code == 202
    assert compared.get(E).data["comparison"] is None
    assert compared.get(f"{E}/comparison").data["state"] == "mirroring"


def test_without_one_it_says_so(door: APIClient, workspace: object) -> None:
    told = door.get(f"{E}/comparison").data
    assert (told["state"], told["pairs"], told["agreement_percent"], told["started_at"]) == ("off", 0, None, None)
    assert door.get(f"{E}/comparison/examples").data == []


def test_the_worst_pairs_are_listed_without_bodies_and_shown_whole(compared: APIClient) -> None:
    listed = compared.get(f"{E}/comparison/examples?kind=Different").data
    assert [(one["kind"], one["difference_count"]) for one in listed] == [("Different", 1)]
    assert listed[0]["differences"] == [{"path": "$.n", "live": "1", "shadow": "3", "size": 2.0}]
    assert "live_answer" not in listed[0]
    whole = compared.get(f"{E}/comparison/examples/{listed[0]['id']}")
    assert whole.data["live_answer"] == {"body": '{"n": 1}', "body_encoding": "utf-8"}
    assert whole.data["request"] == {"body": '{"x": 1}', "body_encoding": "utf-8"}
    assert whole.headers["Cache-Control"] == "no-store"


def test_bytes_that_are_no_text_come_as_base64(compared: APIClient) -> None:
    [failed] = compared.get(f"{E}/comparison/examples?kind=ShadowError").data
    whole = compared.get(f"{E}/comparison/examples/{failed['id']}").data
    assert whole["shadow_answer"] == {"body": "/w==", "body_encoding": "base64"}


def test_a_kind_of_which_none_are_kept_is_refused(compared: APIClient) -> None:
    assert compared.get(f"{E}/comparison/examples?kind=Exact").status_code == 400


ANSWERS = {"Owner": 200, "Contributor": 200, "AzureML Data Scientist": 200, "Reader": 403, "Endpoint Scorer": 404}


@pytest.mark.parametrize(("role", "status"), ANSWERS.items())
def test_answers_of_others_are_for_few(role: str, status: int, compared: APIClient) -> None:
    [one] = compared.get(f"{E}/comparison/examples?kind=Different").data
    client = door_of(person("somebody", role))
    assert client.get(f"{E}/comparison/examples").status_code == status
    assert client.get(f"{E}/comparison/examples/{one['id']}").status_code == status


FIGURES = {**ANSWERS, "Reader": 200}


@pytest.mark.parametrize(("role", "status"), FIGURES.items())
def test_figures_are_for_readers(role: str, status: int, compared: APIClient) -> None:
    assert door_of(person("somebody", role)).get(f"{E}/comparison").status_code == status


CHANGES = {"Owner": 204, "Contributor": 204, "AzureML Data Scientist": 204, "Reader": 403, "Endpoint Scorer": 404}


@pytest.mark.parametrize(("role", "status"), CHANGES.items())
def test_forgetting_is_for_those_who_may_change_the_endpoint(role: str, status: int, compared: APIClient) -> None:
    assert door_of(person("somebody", role)).post(f"{E}/comparison/reset").status_code == status
    left = 0 if status == 204 else 4
    assert compared.get(f"{E}/comparison").data["pairs"] == left


def test_promoting_is_an_operation_to_follow(compared: APIClient) -> None:
    OnlineDeployment.objects.update(ready_instances=1)
    answer = compared.post(f"{E}/comparison/promote", {"percent": 100}, format="json")
    assert (answer.status_code, answer.data["operation"]["summary"]) == (202, "Set traffic to blue=100, mirror traffic")
    assert compared.get(f"{E}/comparison").data["state"] == "waiting"
    assert Comparison.objects.get().shadow == "blue"


def test_a_share_that_is_none_is_refused_by_name(compared: APIClient) -> None:
    answer = compared.post(f"{E}/comparison/promote", {"percent": 0}, format="json")
    assert (answer.status_code, answer.data["error"]["details"][0]["field"]) == (400, "percent")


def test_agreement_is_a_metric_like_any_other(compared: APIClient) -> None:
    told: dict[str, Any] = compared.get(f"{E}/metrics?name=AgreementPercentage,ComparedPairsPerMinute&range=15m").data
    agreement, rate = told["metrics"]
    assert agreement["series"][0]["dimensions"] == {"deployment": "old", "shadow": "blue"}
    assert [value for value in agreement["series"][0]["values"] if value is not None] == [50.0]
    assert {one["dimensions"]["kind"] for one in rate["series"]} <= {"Exact", "Close", "Different", "ShadowError"}
