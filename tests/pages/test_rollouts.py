"""The rollout page: the walk-through step by step, the guarded rollout's form and verbs, and what is kept of it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint, Rollout
from studio.access.models import User
from studio.forms.rollouts import RolloutForm
from tests.pages.conftest import visiting
from tests.services import rollouts as scene
from tests.services import world

PAGE = "/endpoints/risk/rollout/"
PAIR = {"old": "blue", "new": "green"}


@pytest.fixture
def browser(owner: User) -> Client:
    scene.two_deployments(owner)
    return visiting(owner)


def filled(**changes: str) -> dict[str, str]:
    """The form as it is offered, with changes."""
    form = RolloutForm()
    values = {name: str(form[name].initial) for name in form.fields if form[name].initial is not None}
    return {**values, **PAIR, **changes}


def text_of(browser: Client, url: str = PAGE) -> str:
    return " ".join(browser.get(url).content.decode().split())


def test_an_endpoint_with_one_deployment_is_told_to_create_another_like_it(owner: User, browser: Client) -> None:
    OnlineDeployment.objects.filter(name="green").delete()
    text = text_of(browser)
    assert "/deploy/?endpoint=risk&amp;like=blue" in text and "Create one like blue" in text


def test_an_endpoint_without_deployments_says_so(owner: User) -> None:
    services.create_endpoint(owner, document={"name": "risk"})
    assert "has no deployment yet" in text_of(visiting(owner))


def test_traffic_goes_over_in_steps_and_back_again(browser: Client) -> None:
    for percent, split in ((10, {"blue": 90, "green": 10}), (100, {"green": 100}), (0, {"blue": 100})):
        answer = browser.post(f"{PAGE}shift/", {**PAIR, "percent": percent})
        assert (answer.status_code, scene.traffic()) == (302, split)


def test_the_old_one_can_be_deleted_only_when_it_has_nothing_left(browser: Client) -> None:
    assert "blue receives 100 % of the live traffic and cannot be deleted" in text_of(browser)
    browser.post(f"{PAGE}shift/", {**PAIR, "percent": 100})
    assert "Delete blue" in text_of(browser, f"{PAGE}?old=blue&new=green")


def test_a_share_they_do_not_have_is_refused_at_the_field(browser: Client, owner: User) -> None:
    world.deploy(owner, name="red")
    services.set_traffic(owner, name="risk", traffic={"blue": 60, "red": 40})
    answer = browser.post(f"{PAGE}shift/", {**PAIR, "percent": 70})
    assert answer.status_code == 422
    assert "blue and green have 60 percent together." in answer.content.decode()
    assert scene.traffic() == {"blue": 60, "red": 40}


def test_both_are_shown_side_by_side_and_ask_for_themselves(browser: Client) -> None:
    answer = browser.get(PAGE, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert answer.status_code == 200 and "data-fragment" in text and "<html" not in text
    assert text.count('scope="col"') == 4 and 'hx-trigger="every 2s"' in text


def test_a_guarded_rollout_starts_from_the_form_as_it_is_offered(browser: Client) -> None:
    assert browser.post(f"{PAGE}start/", filled()).status_code == 302
    rollout = Rollout.objects.get()
    assert [stage.percent for stage in rollout.stages.all()] == [10, 50, 100]
    assert rollout.document["gates"] == [
        {"metric": "ErrorPercentage", "max": 1.0},
        {"metric": "RequestLatency_P99", "max_ratio": 1.5},
    ]
    assert scene.traffic() == {"blue": 90, "green": 10}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stage-1-percent": "5"}, None),
        ({"stage-0-seconds": ""}, "stage-0-seconds"),
        ({"gate-0-value": ""}, "gate-0-value"),
        ({"window_seconds": "1"}, "window_seconds"),
        ({"new": "red"}, None),
    ],
)
def test_what_is_refused_stands_at_its_row_and_keeps_what_was_typed(
    browser: Client, changes: dict[str, str], field: str | None
) -> None:
    answer = browser.post(f"{PAGE}start/", filled(**changes, **{"stage-2-seconds": "77"}))
    form = answer.context["plan_form"]
    assert (answer.status_code, list(form.errors)) == (422, [field or "__all__"])
    assert form["stage-2-seconds"].value() == "77" and not Rollout.objects.exists()


@pytest.mark.parametrize(("verb", "state"), [("pause", "Paused"), ("promote", "Running"), ("abort", "RolledBack")])
def test_it_is_moved_by_buttons(browser: Client, owner: User, verb: str, state: str) -> None:
    scene.start(owner)
    assert f"{PAGE}1/{verb}/" in text_of(browser)
    assert browser.post(f"{PAGE}1/{verb}/").status_code == 302
    assert Rollout.objects.get().state == state


def test_an_open_page_is_told_the_end_and_stops_asking(browser: Client, owner: User) -> None:
    scene.start(owner)
    running = browser.get(f"{PAGE}?following=1", headers={"HX-Request": "true"})
    services.abort_rollout(owner, endpoint="risk")
    over = browser.get(f"{PAGE}?following=1", headers={"HX-Request": "true"})
    assert (running.status_code, over.status_code) == (200, 286)
    assert "The split that stood before stands again." in over.content.decode()


def test_the_evidence_of_a_breach_stands_on_a_page_of_its_own(browser: Client, owner: User) -> None:
    rollout = scene.start(owner)
    scene.both_answer(4, bad=8)
    scene.turn(rollout, 5)
    text = text_of(browser, f"{PAGE}1/")
    assert "ErrorPercentage was 40, above the limit of 5." in text and "Rolled back" in text
    assert ("200: 12, 424: 8" in text and "<polyline" in text) or "<circle" in text
    assert "from_deployment: blue" in text


def test_whoever_may_only_look_is_offered_nothing_to_change(browser: Client, owner: User, reader: User) -> None:
    looking = visiting(reader)
    assert f"{PAGE}shift/" not in text_of(looking) and f"{PAGE}start/" not in text_of(looking)
    scene.start(owner)
    assert f"{PAGE}1/abort/" not in text_of(looking)
    assert looking.post(f"{PAGE}1/abort/").status_code == 403
    assert looking.post(f"{PAGE}shift/", {**PAIR, "percent": 100}).status_code == 403


def test_a_stranger_is_told_nothing(browser: Client, stranger: User) -> None:
    assert visiting(stranger).get(PAGE).status_code == 404


def test_the_endpoints_page_leads_here(browser: Client) -> None:
    assert reverse("endpoints:rollout", args=["risk"]) in text_of(browser, "/endpoints/risk/")
    assert OnlineEndpoint.objects.count() == 1
