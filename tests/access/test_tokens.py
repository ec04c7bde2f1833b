"""Tokens for programs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.spec.errors import Invalid, NotFound
from studio.access.models import ApiToken, User
from studio.access.tokens import create_token, revoke_token, tokens_of


def status_with(secret: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return int(client.get("/api/v1/me").status_code)


def test_a_token_signs_its_person_in_and_is_kept_as_a_digest(owner: User) -> None:
    row, secret = create_token(owner, name="CI")
    assert status_with(secret) == 200
    assert secret not in {row.digest, row.token_key, str(row)}


def test_a_revoked_token_is_refused_at_once(owner: User) -> None:
    row, secret = create_token(owner, name="CI")
    revoke_token(owner, token_key=row.token_key)
    assert status_with(secret) == 401


def test_an_expired_token_is_refused_and_no_longer_listed(owner: User) -> None:
    row, secret = create_token(owner, name="CI", lifetime=timedelta(hours=1))
    ApiToken.objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(seconds=1))
    assert not tokens_of(owner)
    assert status_with(secret) == 401


def test_the_token_of_someone_sent_away_is_refused(owner: User) -> None:
    _, secret = create_token(owner, name="CI")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert status_with(secret) == 401


def test_nobody_revokes_the_token_of_another(owner: User, stranger: User) -> None:
    row, secret = create_token(owner, name="CI")
    with pytest.raises(NotFound):
        revoke_token(stranger, token_key=row.token_key)
    assert status_with(secret) == 200


@pytest.mark.parametrize("secret", ["", "wrong", "a b", "ü" * 64, "0" * 64])
def test_what_is_no_token_is_refused_not_a_crash(secret: str, db: None) -> None:
    assert status_with(secret) == 401


def test_a_token_says_what_it_is_for(owner: User) -> None:
    with pytest.raises(Invalid) as refused:
        create_token(owner, name="  ")
    assert refused.value.details[0].field == "name"
