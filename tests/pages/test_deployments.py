"""One deployment from a browser: why it failed, its document, its count, another try, its end."""

from __future__ import annotations

import pytest
import yaml
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from endpoints.models import InstanceType, OnlineDeployment, OnlineEndpoint, Operation
from endpoints.spec.documents import OnlineDeploymentDocument
from studio.access.models import User
from tests.pages import world
from tests.pages.conftest import visiting

BLUE = ["diabetes-risk", "blue"]
GREEN = ["diabetes-risk", "green"]


def test_a_failure_says_cause_place_log_and_advice(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(reverse("deployments:detail", args=["diabetes-risk", "broken"]))
    for word in (
        "which the environment does not have",
        "UserScriptImportError",
        "line 3",
        "Add scikit-learn",
        "Try again",
    ):
        assert word in answer.text
    assert "ModuleNotFoundError" in answer.text
    assert "Memory is clipped" in answer.text


def test_an_instance_that_died_says_why(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(reverse("deployments:detail", args=BLUE))
    assert "Killed by signal 9 from outside." in answer.text


def test_the_document_can_be_read_again(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(reverse("deployments:yaml", args=BLUE))
    document = yaml.safe_load(answer.context["text"])
    assert OnlineDeploymentDocument.read(document).name == "blue"
    assert document["instance_count"] == 3
    assert document["environment_variables"] == {"THRESHOLD": "0.5"}


def test_the_count_is_changed(olivia: User, risk: OnlineEndpoint) -> None:
    assert InstanceType.objects.filter(name="Standard_DS3_v2").exists()
    answer = visiting(olivia).post(reverse("deployments:scale", args=GREEN), {"instance_count": "2"})
    assert answer.status_code == 302
    assert OnlineDeployment.objects.get(name="green").instance_count == 2


@pytest.mark.parametrize("count", ["0", "x", "100000"])
def test_a_count_that_cannot_be_is_refused(count: str, olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).post(reverse("deployments:scale", args=GREEN), {"instance_count": count})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert OnlineDeployment.objects.get(name="green").instance_count == 1


def test_live_traffic_protects_from_deletion(olivia: User, risk: OnlineEndpoint) -> None:
    client, url = visiting(olivia), reverse("deployments:delete", args=BLUE)
    assert "answers 90 % of the live requests" in client.get(url).text
    assert client.post(url).status_code == 409
    assert OnlineDeployment.objects.get(name="blue").deletion_requested_at is None


def test_a_deployment_without_traffic_is_deleted(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).post(reverse("deployments:delete", args=["diabetes-risk", "broken"]))
    assert answer.headers["Location"] == "/endpoints/diabetes-risk/"
    assert OnlineDeployment.objects.get(name="broken").deletion_requested_at is not None


def test_a_failed_deployment_is_tried_again(olivia: User, risk: OnlineEndpoint) -> None:
    before = Operation.objects.count()
    visiting(olivia).post(reverse("deployments:retry", args=["diabetes-risk", "broken"]))
    assert Operation.objects.count() == before + 1


def test_a_reader_scales_nothing(rafael: User, risk: OnlineEndpoint) -> None:
    answer = visiting(rafael).post(reverse("deployments:scale", args=GREEN), {"instance_count": "2"})
    assert answer.status_code == 403


def test_the_page_asks_no_more_for_more_instances(
    olivia: User, risk: OnlineEndpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    blue = OnlineDeployment.objects.get(name="blue")
    for number in range(20, 50):
        world.instance(blue, number)
    client = visiting(olivia)
    with django_assert_max_num_queries(18):
        client.get(reverse("deployments:detail", args=BLUE))


def test_the_second_try_is_turned_off(olivia: User, risk: OnlineEndpoint) -> None:
    address = ["diabetes-risk", "green"]
    assert "checked" in visiting(olivia).get(reverse("deployments:settings", args=address)).text
    visiting(olivia).post(reverse("deployments:settings", args=address), {})
    assert risk.deployments.get(name="green").gateway_settings == {"retry": False}
