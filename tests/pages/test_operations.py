"""Operations from a browser: the button that cancels one."""

from __future__ import annotations

import pytest
from django.urls import reverse

from endpoints import services
from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation
from studio.access.models import User
from tests.pages.conftest import visiting

BLUE = ["diabetes-risk", "blue"]


@pytest.fixture
def operation(olivia: User, risk: OnlineEndpoint) -> Operation:
    """Under way."""
    changes = {"environment_variables": {"THRESHOLD": "0.9"}}
    found = services.update_deployment(olivia, endpoint="diabetes-risk", name="blue", document=changes)
    assert found is not None
    return found


def test_the_change_under_way_is_canceled_from_its_page(operation: Operation, olivia: User) -> None:
    client, cancel = visiting(olivia), reverse("operations:cancel", args=[operation.pk])
    for page in (reverse("deployments:detail", args=BLUE), reverse("operations:detail", args=[operation.pk])):
        assert f'action="{cancel}"' in client.get(page).text
    assert client.post(cancel).url == reverse("operations:detail", args=[operation.pk])  # type: ignore[attr-defined]
    row = OnlineDeployment.objects.get(name="blue", endpoint__name="diabetes-risk")
    assert row.canceled_generation == row.generation


def test_what_is_over_offers_no_button_and_says_so(operation: Operation, olivia: User) -> None:
    Operation.objects.filter(pk=operation.pk).update(state="Succeeded")
    client = visiting(olivia)
    assert "/cancel/" not in client.get(reverse("operations:detail", args=[operation.pk])).text
    answer = client.post(reverse("operations:cancel", args=[operation.pk]))
    assert answer.status_code == 409 and "is over" in answer.text


def test_a_reader_gets_no_button_and_is_refused(operation: Operation, rafael: User, stefan: User) -> None:
    url = reverse("operations:cancel", args=[operation.pk])
    assert url not in visiting(rafael).get(reverse("deployments:detail", args=BLUE)).text
    assert visiting(rafael).post(url).status_code == 403
    assert visiting(stefan).post(url).status_code == 404
