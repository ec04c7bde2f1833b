"""Errors in the studio's look: in words, with an id where it was our fault, and never with a trace."""

from __future__ import annotations

import logging
import re

import pytest
from django.test import Client

from endpoints.spec import errors
from studio.access.models import User
from studio.pages import home
from tests.pages.conftest import visiting


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Makes the search page raise what is put into the list."""
    raised: list[Exception] = []

    def fail(request: object) -> str:
        raise raised[0]

    monkeypatch.setattr(home, "words_of", fail)
    return raised


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("There is no model named 'x'."), 404),
        (errors.Forbidden("The action a/b is missing.", action="a/b"), 403),
        (errors.Conflict("An operation is running."), 409),
        (errors.OutOfQuota("10 x 4 cores do not fit."), 409),
        (errors.LimitExceeded("20001 files are too many."), 413),
        (errors.Unavailable("The gateway does not answer."), 503),
        (errors.Invalid("Wrong.", details=[errors.FieldError("traffic.blue", "Is 101.", 3)]), 422),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_domain_error_has_its_status_and_its_sentence(
    error: errors.SlipwayError, status: int, broken: list[Exception], olivia: User
) -> None:
    broken.append(error)
    answer = visiting(olivia).get("/search/")
    assert answer.status_code == status
    assert error.message.replace("'", "&#x27;") in answer.text
    assert all(detail.message in answer.text for detail in error.details)
    assert 'class="shell"' in answer.text or status >= 500


def test_a_crash_shows_an_id_and_logs_the_trace_under_it(
    broken: list[Exception], olivia: User, caplog: pytest.LogCaptureFixture
) -> None:
    broken.append(ZeroDivisionError("secret detail"))
    with caplog.at_level(logging.ERROR):
        answer = visiting(olivia).get("/search/")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    found = re.search(r"Error id <code>(\w+)</code>", answer.text)
    assert found
    assert found[1] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_fragment_that_fails_is_a_note(broken: list[Exception], olivia: User) -> None:
    broken.append(errors.Conflict("An operation is running."))
    answer = visiting(olivia, **{"HX-Request": "true"}).get("/search/")
    assert answer.status_code == 409
    assert "<html" not in answer.text
    assert "An operation is running." in answer.text


def test_an_unknown_address_has_a_page(olivia: User) -> None:
    answer = visiting(olivia).get("/nowhere/at/all/")
    assert answer.status_code == 404
    assert 'class="shell"' in answer.text


def test_an_unknown_endpoint_is_said_by_name(olivia: User) -> None:
    answer = visiting(olivia).get("/endpoints/ghost/")
    assert answer.status_code == 404
    assert "There is no endpoint named &#x27;ghost&#x27;." in answer.text


def test_a_refusal_names_the_missing_action(rafael: User, risk: object) -> None:
    answer = visiting(rafael).get("/endpoints/diabetes-risk/delete/")
    assert answer.status_code == 403
    assert "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/delete" in answer.text


def test_a_form_without_its_token_is_refused_in_words(olivia: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olivia)
    answer = client.post("/new/endpoint/", {"name": "x"})
    assert answer.status_code == 403
    assert "too old or came from another site" in answer.text
