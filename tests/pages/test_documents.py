"""Documents edited as YAML: mistakes with their lines, what will change, and nothing before it was seen."""

from __future__ import annotations

import re
from typing import Any

import yaml

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint
from studio.access.models import User
from tests.pages.conftest import visiting

ENDPOINT = "/endpoints/diabetes-risk/edit-yaml/"
GREEN = "/endpoints/diabetes-risk/deployments/green/edit-yaml/"


def text_of(user: User, url: str) -> str:
    return str(visiting(user).get(url).context["form"]["text"].value())


def review(user: User, url: str, text: str) -> Any:
    return visiting(user).post(url, {"text": text})


def apply(user: User, url: str, text: str) -> Any:
    """Press the button of the reviewed page."""
    found = re.search(r'name="reviewed" value="(\w+)"', review(user, url, text).content.decode())
    assert found
    return visiting(user).post(url, {"text": text, "reviewed": found[1]})


def test_a_change_is_shown_before_it_is_made(olivia: User, risk: OnlineEndpoint) -> None:
    text = text_of(olivia, ENDPOINT).replace("blue: 90", "blue: 80").replace("green: 10", "green: 20")
    answer = review(olivia, ENDPOINT, text)
    assert "blue: 90 % to 80 % of live requests" in answer.content.decode()
    risk.refresh_from_db()
    assert risk.traffic["blue"] == 90
    assert apply(olivia, ENDPOINT, text).status_code == 302
    risk.refresh_from_db()
    assert risk.traffic == {"blue": 80, "green": 20}


def test_what_is_left_out_returns_to_its_default(olivia: User, risk: OnlineEndpoint) -> None:
    values = yaml.safe_load(text_of(olivia, ENDPOINT))
    del values["tags"]
    apply(olivia, ENDPOINT, yaml.safe_dump(values))
    risk.refresh_from_db()
    assert risk.tags == {}


def test_a_mistake_is_told_with_its_line(olivia: User, risk: OnlineEndpoint) -> None:
    answer = review(olivia, ENDPOINT, "name: diabetes-risk\nauth_mode: kay\n")
    assert answer.status_code == 422
    assert "(line 2)" in answer.content.decode()
    answer = review(olivia, ENDPOINT, "name: [\n")
    assert "Not valid YAML" in answer.content.decode()


def test_what_the_service_refuses_is_told(olivia: User, risk: OnlineEndpoint) -> None:
    answer = review(olivia, ENDPOINT, text_of(olivia, ENDPOINT).replace("green: 10", "teal: 10"))
    assert answer.status_code == 422
    assert "There is no deployment" in answer.content.decode()


def test_a_text_changed_after_its_review_is_reviewed_again(olivia: User, risk: OnlineEndpoint) -> None:
    text = text_of(olivia, ENDPOINT)
    first = review(olivia, ENDPOINT, f"{text}description: One\n".replace("description: Progression", "#"))
    found = re.search(r'name="reviewed" value="(\w+)"', first.content.decode())
    assert found
    other = text.replace("blue: 90", "blue: 80").replace("green: 10", "green: 20")
    answer = visiting(olivia).post(ENDPOINT, {"text": other, "reviewed": found[1]})
    assert answer.status_code == 200
    risk.refresh_from_db()
    assert risk.traffic["blue"] == 90


def test_somebody_elses_change_in_between_asks_for_another_look(olivia: User, risk: OnlineEndpoint) -> None:
    text = text_of(olivia, ENDPOINT).replace("blue: 90", "blue: 80").replace("green: 10", "green: 20")
    found = re.search(r'name="reviewed" value="(\w+)"', review(olivia, ENDPOINT, text).content.decode())
    assert found
    services.update_endpoint(olivia, name="diabetes-risk", changes={"description": "Theirs"})
    assert visiting(olivia).post(ENDPOINT, {"text": text, "reviewed": found[1]}).status_code == 200
    risk.refresh_from_db()
    assert (risk.description, risk.traffic["blue"]) == ("Theirs", 90)


def test_a_deployment_is_changed_by_its_document(olivia: User, risk: OnlineEndpoint) -> None:
    text = text_of(olivia, GREEN).replace("'0.5'", "'0.7'")
    (change,) = review(olivia, GREEN, text).context["plan"].changes
    assert (change.field, change.before, change.after) == ("environment_variables.THRESHOLD", "0.5", "0.7")
    assert apply(olivia, GREEN, text).status_code == 302
    green = OnlineDeployment.objects.get(name="green")
    assert green.revisions.get(number=green.revision).spec["environment_variables"] == {"THRESHOLD": "0.7"}


def test_an_unchanged_document_changes_nothing(olivia: User, risk: OnlineEndpoint) -> None:
    answer = review(olivia, GREEN, text_of(olivia, GREEN))
    assert "nothing would change" in answer.content.decode()
    assert 'name="reviewed" value' not in answer.content.decode()


def test_a_deployment_keeps_its_name(olivia: User, risk: OnlineEndpoint) -> None:
    answer = review(olivia, GREEN, text_of(olivia, GREEN).replace("name: green", "name: other"))
    assert answer.status_code == 422
    assert "keeps its name" in answer.content.decode()


def test_the_plan_says_which_instances_restart_and_what_callers_notice(olivia: User, risk: OnlineEndpoint) -> None:
    url = GREEN.replace("green", "blue")
    answer = review(olivia, url, text_of(olivia, url).replace("'0.5'", "'0.7'"))
    plan, shown = answer.context["plan"], answer.content.decode()
    alive = OnlineDeployment.objects.get(name="blue").instances.filter(ended_at=None)
    assert set(plan.replaced) == {one.pk for one in alive} and len(plan.replaced) == 3
    assert all(name in shown for name in plan.replaced)
    assert "90 % of live requests come here; none of them is lost." in shown
