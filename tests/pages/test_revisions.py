"""A deployment's revisions from a browser."""

from __future__ import annotations

import pytest
from django.urls import reverse

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint
from studio.access.models import User
from tests.pages.conftest import visiting

BLUE = ["diabetes-risk", "blue"]
LIST = "deployments:revisions"


@pytest.fixture
def changed(olivia: User, risk: OnlineEndpoint) -> OnlineDeployment:
    changes = {"environment_variables": {"THRESHOLD": "0.9"}}
    services.update_deployment(olivia, endpoint="diabetes-risk", name="blue", document=changes)
    return OnlineDeployment.objects.get(name="blue", endpoint=risk)


def test_the_list_says_who_changed_what_and_what_runs(changed: OnlineDeployment, olivia: User) -> None:
    answer = visiting(olivia).get(reverse(LIST, args=BLUE))
    newest, first = answer.context["entries"]
    assert (newest.row.number, newest.instances, first.instances) == (2, 0, 3)
    assert "environment_variables.THRESHOLD" in answer.text and "olivia" in answer.text


def test_two_stand_side_by_side(changed: OnlineDeployment, olivia: User) -> None:
    answer = visiting(olivia).get(reverse(LIST, args=BLUE), {"from": "1", "to": "2"})
    assert "From revision 1 to 2" in answer.text
    assert "<code>0.5</code>" in answer.text and "<code>0.9</code>" in answer.text


@pytest.mark.parametrize("number", ["9", "x", "²", "9" * 30])
def test_a_revision_that_never_was_is_passed_over(number: str, changed: OnlineDeployment, olivia: User) -> None:
    answer = visiting(olivia).get(reverse(LIST, args=BLUE), {"from": number, "to": "2"})
    assert answer.status_code == 200 and "to 2</h2>" not in answer.text


def test_going_back_is_asked_once_and_done(changed: OnlineDeployment, olivia: User) -> None:
    client, url = visiting(olivia), reverse("deployments:roll-back", args=[*BLUE, 1])
    assert "environment_variables.THRESHOLD: 0.9 becomes 0.5" in client.get(url).text
    assert client.post(url).status_code == 302
    assert OnlineDeployment.objects.get(pk=changed.pk).revision == 1


def test_a_reader_is_offered_no_way_back(changed: OnlineDeployment, rafael: User) -> None:
    client = visiting(rafael)
    assert "Roll back" not in client.get(reverse(LIST, args=BLUE)).text
    assert client.post(reverse("deployments:roll-back", args=[*BLUE, 1])).status_code == 403
