"""API tokens: the secret stands on one page once, and works until it is revoked."""

from __future__ import annotations

from studio.access.models import ApiToken, User
from tests.pages.conftest import visiting


def test_a_token_is_shown_once(olivia: User) -> None:
    client = visiting(olivia)
    answer = client.post("/new/token/", {"name": "CI", "days": "30"})
    secret = answer.context["secret"]
    assert secret in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert secret not in client.get("/tokens/").text


def test_a_token_without_end_is_said_to_have_none(olivia: User) -> None:
    client = visiting(olivia)
    client.post("/new/token/", {"name": "CI", "days": ""})
    assert ApiToken.objects.get().expiry is None
    assert "it is revoked" in client.get("/tokens/").text


def test_a_token_needs_a_name(olivia: User) -> None:
    assert visiting(olivia).post("/new/token/", {"name": " ", "days": "30"}).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_gone(olivia: User) -> None:
    client = visiting(olivia)
    client.post("/new/token/", {"name": "CI", "days": "30"})
    client.post(f"/tokens/{ApiToken.objects.get().token_key}/revoke/")
    assert not ApiToken.objects.exists()


def test_nobody_revokes_another_persons_token(olivia: User, rafael: User) -> None:
    visiting(olivia).post("/new/token/", {"name": "CI", "days": "30"})
    answer = visiting(rafael).post(f"/tokens/{ApiToken.objects.get().token_key}/revoke/")
    assert answer.status_code == 404
    assert ApiToken.objects.exists()
