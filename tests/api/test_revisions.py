"""Revisions over REST."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

D = "/api/v1/online-endpoints/risk/deployments/blue"


@pytest.fixture
def changed(door: APIClient, workspace: object) -> APIClient:
    changes = {"environment_variables": {"THRESHOLD": "0.5"}}
    assert door.patch(D, changes, format="json").status_code == 202
    return door


def test_the_history_is_listed_newest_first(changed: APIClient) -> None:
    newest, first = changed.get(f"{D}/revisions").data
    assert (newest["revision"], newest["is_wanted"], newest["created_by"]) == (2, True, "olga")
    assert newest["changes"] == [{"field": "environment_variables.THRESHOLD", "before": None, "after": "0.5"}]
    assert (first["revision"], first["changes"]) == (1, [])


def test_any_two_are_compared(changed: APIClient) -> None:
    answer = changed.get(f"{D}/revisions/1?against=2").data
    assert (answer["revision"], answer["against"]) == (1, 2)
    assert answer["changes"] == [{"field": "environment_variables.THRESHOLD", "before": "0.5", "after": None}]
    assert answer["document"]["name"] == "blue"


@pytest.mark.parametrize(("path", "status"), [("9", 404), ("1?against=9", 404), ("1?against=x", 400)])
def test_what_is_no_revision_is_said(path: str, status: int, changed: APIClient) -> None:
    assert changed.get(f"{D}/revisions/{path}").status_code == status


def test_going_back_is_an_operation_to_follow(changed: APIClient) -> None:
    answer = changed.post(f"{D}/rollback", {"revision": 1}, format="json")
    assert (answer.status_code, answer.data["operation"]["kind"]) == (202, "RollBackDeployment")
    assert changed.get(D).data["revision"] == 1
    assert changed.post(f"{D}/rollback", {"revision": 1}, format="json").data == {"operation": None}


def test_a_rollback_without_a_number_is_refused_by_field(changed: APIClient) -> None:
    answer = changed.post(f"{D}/rollback", {}, format="json")
    assert (answer.status_code, answer.data["error"]["details"][0]["field"]) == (400, "revision")
