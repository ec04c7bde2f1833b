"""The health address."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client


def test_anyone_may_ask_and_learns_nothing_else(client: Client, db: None) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "broker": "down"}  # no broker runs here


def test_without_its_database_the_studio_is_down(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise DatabaseError("secret host does not answer")

    monkeypatch.setattr(connection, "cursor", fail)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")
    assert "secret" not in answer.content.decode()


def test_it_is_only_read(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
