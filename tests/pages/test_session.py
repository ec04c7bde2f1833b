"""Signing in and out, and the theme."""

from __future__ import annotations

import pytest
from django.test import Client

from studio.access.models import User
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
