"""A deployment made like another: the steps begin with what that one is made of."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import OnlineDeployment
from studio.access.models import User
from studio.wizards import progress
from studio.wizards.answers import Answers
from studio.wizards.steps.base import Step
from tests.services import world

WISH = {"endpoint": "risk", "like": "blue"}


@pytest.fixture
def blue(owner: User) -> OnlineDeployment:
    world.endpoint(owner)
    variables = {"THRESHOLD": "0.5"}
    world.deploy(owner, instance_count=2, environment_variables=variables, request_settings={"request_timeout_ms": 900})
    return OnlineDeployment.objects.get(name="blue")


def step(owner: User, name: str, wish: dict[str, str] = WISH) -> Step:
    return progress.STEPS[name](prefix=name, user=owner, so_far=Answers(), wish=wish)


def test_script_packages_and_variables_are_those_of_the_other(owner: User, blue: OnlineDeployment) -> None:
    form = step(owner, "environment")
    assert (form["environment"].value(), form["code"].value()) == ("conda", "editor")
    assert "joblib==1.4.2" in form["conda"].value()
    assert form["script"].value() == world.SCRIPT.decode()
    assert form["variables"].value() == "THRESHOLD=0.5"


def test_size_and_limits_are_those_of_the_other(owner: User, blue: OnlineDeployment) -> None:
    form = step(owner, "compute")
    assert (form["instance_type"].value(), form["instance_count"].value()) == (world.TYPE, 2)
    assert form["request_timeout_ms"].value() == 900


def test_it_begins_with_another_name_and_no_traffic(owner: User, blue: OnlineDeployment, client: Client) -> None:
    client.force_login(owner)
    form = client.get("/deploy/?endpoint=risk&like=blue").context["form"]
    assert (form["existing"].value(), form["deployment"].value()) == ("risk", "green")


def test_one_that_is_not_there_changes_nothing(owner: User, blue: OnlineDeployment) -> None:
    form = step(owner, "compute", {"endpoint": "risk", "like": "red"})
    assert form["instance_count"].value() == 1
