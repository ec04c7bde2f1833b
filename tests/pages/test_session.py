"""Signing in and out, and the theme."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.access.models import AuditRecord, User
from studio.access.throttle import PER_ADDRESS, seconds_to_wait
from tests.pages.conftest import visiting

PASSWORD = "correct horse battery"


def test_a_person_signs_in_and_comes_where_they_wanted(olivia: User) -> None:
    answer = Client().post("/sign-in/", {"username": "olivia", "password": PASSWORD, "next": "/models/"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/models/"


def test_a_wrong_password_is_said_in_words(olivia: User) -> None:
    answer = Client().post("/sign-in/", {"username": "olivia", "password": "wrong"})
    assert answer.status_code == 422
    assert "No such user name with this password" in answer.text


def guess(name: str, *, times: int, address: str = "10.0.0.1", password: str = "wrong") -> Any:
    """The last of some tries."""
    client = Client(REMOTE_ADDR=address)
    answers = [client.post("/sign-in/", {"username": name, "password": password}) for _ in range(times)]
    return answers[-1]


def test_who_guesses_passwords_has_to_wait_even_with_the_right_one(olivia: User) -> None:
    assert guess("olivia", times=5).status_code == 422
    answer = guess("Olivia", times=1, password=PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert "Too many wrong passwords. Try again in 5 minutes." in answer.content.decode()


def test_guessing_keeps_nobody_out_elsewhere_nor_anybody_else(olivia: User, stefan: User) -> None:
    guess("olivia", times=6)
    assert guess("olivia", times=1, address="10.0.0.2", password=PASSWORD).status_code == 302
    assert guess("stefan", times=1, password=PASSWORD).status_code == 302


def test_one_who_signed_in_begins_anew(olivia: User) -> None:
    guess("olivia", times=4)
    guess("olivia", times=1, password=PASSWORD)
    guess("olivia", times=4)
    assert guess("olivia", times=1, password=PASSWORD).status_code == 302


def test_the_wait_ends_and_many_names_from_one_address_wait_too(olivia: User) -> None:
    guess("olivia", times=5)
    now = timezone.now()
    assert seconds_to_wait("olivia", "10.0.0.1", now=now) > 0
    assert seconds_to_wait("olivia", "10.0.0.1", now=now + timedelta(minutes=5, seconds=1)) == 0
    for number in range(PER_ADDRESS):
        AuditRecord.objects.create(action="SignInFailed", target=f"user u{number}", address="10.0.0.3")
    assert seconds_to_wait("olivia", "10.0.0.3", now=timezone.now()) > 0


def test_signing_in_leads_to_no_other_site(olivia: User) -> None:
    form = {"username": "olivia", "password": PASSWORD, "next": "https://elsewhere.example/"}
    answer = Client().post("/sign-in/", form)
    assert answer.headers["Location"] == "/"


def test_signing_out_takes_a_post(olivia: User) -> None:
    client = visiting(olivia)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_a_fragment_sends_its_whole_page_to_sign_in(db: None) -> None:
    answer = visiting(None, **{"HX-Request": "true"}).get("/endpoints/")
    assert answer.headers["HX-Redirect"] == "/sign-in/"


@pytest.mark.parametrize(
    ("choice", "drawn"), [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"'), ("", "")]
)
def test_the_theme_is_kept_in_a_cookie(choice: str, drawn: str, olivia: User) -> None:
    client = visiting(olivia)
    assert client.post("/theme/", {"theme": choice, "next": "/models/"}).headers["Location"] == "/models/"
    assert f'<html lang="en"{drawn}>' in client.get("/").text


def test_the_theme_leads_to_no_other_site(olivia: User) -> None:
    answer = visiting(olivia).post("/theme/", {"theme": "dark", "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == "/"


def test_a_theme_nobody_made_is_not_kept(olivia: User) -> None:
    client = visiting(olivia)
    client.cookies["theme"] = '"><script>'
    assert '<html lang="en">' in client.get("/").text
