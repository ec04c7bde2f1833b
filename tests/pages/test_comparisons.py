"""The page of a comparison: what it says in every state, to whom, and what its forms do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from endpoints.models import Comparison, ComparisonExample, OnlineEndpoint
from endpoints.spec.pairs import AnswerSeen
from endpoints.telemetry import pairs
from studio.access.models import User
from studio.access.roles import assign
from tests.pages import world
from tests.pages.conftest import visiting
from tests.telemetry.test_pairs import encoded, pair

NAME = "diabetes-risk"
NASTY = "<script>alert('x')</script>"
FORM = {
    "shadow": "shadow-xgb", "percent": 20, "sample_percent": 100, "max_per_second": 10, "absolute_tolerance": 0,
    "relative_tolerance": 0.01, "ignored_paths": "$.at\n$..id", "unordered_paths": "", "examples": 5,
}  # fmt: skip


def url(view: str = "compare", *more: object) -> str:
    return reverse(f"endpoints:{view}", args=[NAME, *more])


@pytest.fixture
def compared(risk: OnlineEndpoint) -> OnlineEndpoint:
    """Shadow-xgb is compared; of four pairs one differs, with nasty texts, and one failed."""
    OnlineEndpoint.objects.update(mirror_traffic={"shadow-xgb": 20}, comparison={"keep_requests": True})
    now = timezone.now() - timedelta(minutes=1)
    started_at = now - timedelta(minutes=5)
    Comparison.objects.create(endpoint=risk, shadow="shadow-xgb", revision=1, started_at=started_at)
    of_it: dict[str, Any] = {"endpoint": NAME, "shadow_deployment": "shadow-xgb"}
    nasty = pair({"n": 1, NASTY: 1}, {"n": NASTY}, at=now, request=NASTY.encode(), request_id="abcdef", **of_it)
    failed = pair(shadow=AnswerSeen(status=500, microseconds=1, body=b"Traceback"), at=now, **of_it)
    pairs.take([encoded(pair(at=now, **of_it), pair(at=now, **of_it), nasty, failed)], now=now)
    return risk


def example() -> ComparisonExample:
    return ComparisonExample.objects.get(kind="Different")


@pytest.mark.parametrize(
    ("mirror", "comparison", "words"),
    [
        ({}, None, "Nothing is compared"),
        ({"shadow-xgb": 10}, None, "Mirrored, not compared"),
        ({}, {}, "Nothing is mirrored"),
        ({"shadow-xgb": 10}, {}, "No pair yet"),
    ],
)
def test_every_state_says_what_it_is(
    mirror: dict[str, int], comparison: object, words: str, olivia: User, risk: OnlineEndpoint
) -> None:
    OnlineEndpoint.objects.update(mirror_traffic=mirror, comparison=comparison)
    assert words in visiting(olivia).get(url()).text


def test_the_rate_the_kinds_the_fields_and_the_worst_pairs_are_shown(olivia: User, compared: OnlineEndpoint) -> None:
    text = visiting(olivia).get(url()).text
    assert re.search(r"data-rate>50.00<small>%", text)
    assert "2 of 4 compared pairs agree" in text
    assert "<code>$.n</code>" in text
    assert "shadow failed, answered 500: 1" in text
    assert url("compare-example", example().pk) in text
    assert NASTY not in text


def test_the_fragment_alone_asks_for_itself(olivia: User, compared: OnlineEndpoint) -> None:
    text = visiting(olivia, **{"HX-Request": "true"}).get(url()).text
    assert "data-watch" in text and "<html" not in text and "data-charts" not in text


def test_both_answers_stand_side_by_side_and_run_nothing(olivia: User, compared: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(url("compare-example", example().pk))
    assert NASTY not in answer.text and "&lt;script&gt;" in answer.text
    assert "<mark>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_request_that_was_not_kept_is_said_so(olivia: User, compared: OnlineEndpoint) -> None:
    ComparisonExample.objects.update(request_body=None)
    assert "Not kept" in visiting(olivia).get(url("compare-example", example().pk)).text


def test_a_reader_sees_rates_and_no_answers(rafael: User, compared: OnlineEndpoint) -> None:
    client = visiting(rafael)
    text = client.get(url()).text
    assert "50.00<small>%" in text and "Kept from you" in text
    assert url("compare-example", example().pk) not in text
    assert not [word for word in ("Promote", "Reset<", "Compare no more", url("compare-settings")) if word in text]
    assert client.get(url("compare-example", example().pk)).status_code == 403


SEEN = {"Owner": 200, "Contributor": 200, "AzureML Data Scientist": 200, "Reader": 403, "Endpoint Scorer": 404}


@pytest.mark.parametrize(("role", "status"), SEEN.items())
def test_answers_are_for_those_with_the_action(role: str, status: int, compared: OnlineEndpoint) -> None:
    somebody = world.person("somebody")
    assign(role, somebody)
    assert visiting(somebody).get(url("compare-example", example().pk)).status_code == status


def test_the_charts_are_figures_of_the_comparison(olivia: User, compared: OnlineEndpoint) -> None:
    OnlineEndpoint.objects.update(created_at=timezone.now() - timedelta(hours=1))
    figures = visiting(olivia).get(url("compare-figures") + "?range=15m").json()["figures"]
    assert figures["agreement"]["data"][0]["name"] == "shadow-xgb with blue"
    assert 50 in figures["agreement"]["data"][0]["y"]
    assert [one["name"] for one in figures["compared"]["data"]][:3] == ["the same", "different", "shadow failed"]


def switch_on(client: Client, **changes: object) -> object:
    return client.post(url("compare-settings"), {**FORM, **changes})


def test_one_form_switches_mirroring_and_comparing_on(olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    answer = client.post(url("compare-settings"), FORM)
    assert answer.status_code == 302 and answer.headers["Location"] == url()
    risk.refresh_from_db()
    assert risk.mirror_traffic == {"shadow-xgb": 20}
    assert risk.comparison == {
        "absolute_tolerance": 0.0, "relative_tolerance": 0.01, "ignored_paths": ["$.at", "$..id"], "examples": 5,
    }  # fmt: skip
    assert Comparison.objects.get().shadow == "shadow-xgb"
    assert "Your change: mirror shadow-xgb 0 → 20 %" in client.get(reverse("endpoints:detail", args=[NAME])).text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("percent", 80, "At most 50 percent"),
        ("ignored_paths", "at", "is no path"),
        ("shadow", "blue", "Select a valid choice"),
        ("examples", 101, "100"),
        ("absolute_tolerance", "nan", ""),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    field: str, value: object, words: str, olivia: User, risk: OnlineEndpoint
) -> None:
    answer = visiting(olivia).post(url("compare-settings"), {**FORM, field: value})
    assert answer.status_code == 422 and words in answer.text
    assert answer.context["form"].errors[field]
    risk.refresh_from_db()
    assert risk.generation == 1


def test_without_a_deployment_that_is_not_live_it_says_what_to_do(olivia: User, risk: OnlineEndpoint) -> None:
    risk.deployments.exclude(name__in=["blue", "green"]).delete()
    assert "Every deployment has live traffic" in visiting(olivia).get(url("compare-settings")).text


def test_comparing_no_more_leaves_mirroring_and_what_was_found(olivia: User, compared: OnlineEndpoint) -> None:
    client = visiting(olivia)
    client.post(url("compare-off"))
    compared.refresh_from_db()
    assert (compared.comparison, compared.mirror_traffic) == (None, {"shadow-xgb": 20})
    assert "50.00<small>%" in client.get(url()).text


def test_reset_asks_and_forgets(olivia: User, compared: OnlineEndpoint) -> None:
    client = visiting(olivia)
    assert "Deletes the counts of 4 pairs" in client.get(url("compare-reset")).text
    assert client.post(url("compare-reset")).status_code == 302
    assert not ComparisonExample.objects.exists()
    assert client.post(url("compare-off")).status_code == 302


def test_promoting_says_what_it_does_and_can_be_taken_back(olivia: User, compared: OnlineEndpoint) -> None:
    compared.deployments.filter(name="shadow-xgb").update(ready_instances=1)
    client = visiting(olivia)
    page = client.get(url("compare-promote"))
    assert "Live traffic: blue 90 → 0 %, green 10 → 0 %, shadow-xgb 0 → 100 %." in page.text
    assert "Mirroring 20 % to shadow-xgb ends." in page.text
    generation = page.context["form"].initial["generation"]
    assert (
        client.post(url("compare-promote"), {"percent": 100, "generation": generation, "seen": 100}).status_code == 302
    )
    compared.refresh_from_db()
    assert (compared.traffic["shadow-xgb"], compared.mirror_traffic) == (100, {})
    assert "Your change: " in client.get(reverse("endpoints:detail", args=[NAME])).text


def test_another_share_is_shown_before_it_is_set(olivia: User, compared: OnlineEndpoint) -> None:
    compared.deployments.filter(name="shadow-xgb").update(ready_instances=1)
    answer = visiting(olivia).post(url("compare-promote"), {"percent": 10, "generation": 1, "seen": 100})
    assert answer.status_code == 422
    assert "Live traffic: blue 90 → 81 %, green 10 → 9 %, shadow-xgb 0 → 10 %." in answer.text
    again = {"percent": 10, "generation": answer.context["form"].data["generation"], "seen": 10}
    assert visiting(olivia).post(url("compare-promote"), again).status_code == 302
    compared.refresh_from_db()
    assert compared.traffic["shadow-xgb"] == 10


def test_a_split_that_changed_meanwhile_is_shown_again(olivia: User, compared: OnlineEndpoint) -> None:
    compared.deployments.filter(name="shadow-xgb").update(ready_instances=1)
    answer = visiting(olivia).post(url("compare-promote"), {"percent": 100, "generation": 0, "seen": 100})
    assert answer.status_code == 422 and "has been changed since you looked" in answer.text
    compared.refresh_from_db()
    assert compared.mirror_traffic == {"shadow-xgb": 20}


def test_a_shadow_that_cannot_answer_is_not_promoted(olivia: User, compared: OnlineEndpoint) -> None:
    answer = visiting(olivia).post(url("compare-promote"), {"percent": 100, "generation": 1, "seen": 100})
    assert answer.status_code == 422 and "has no ready instance" in answer.text


def test_another_revision_of_the_shadow_is_noted(olivia: User, compared: OnlineEndpoint) -> None:
    Comparison.objects.update(revision=7)
    assert "has been changed since the comparison began" in visiting(olivia).get(url()).text
