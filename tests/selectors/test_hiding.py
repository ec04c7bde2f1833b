"""Values of environment variables: nowhere for a reader, everywhere for who may write the deployment."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from endpoints import selectors, services
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.errors import Invalid
from studio.access.models import AuditRecord, User
from tests.api.conftest import door_of
from tests.services import world

SECRETS = ("hunter2", "swordfish")
BLUE = ("risk", "blue")


@pytest.fixture
def blue(teammate: User) -> None:
    """A deployment whose second revision changes one variable and brings another."""
    world.endpoint(teammate)
    world.deploy(teammate, environment_variables={"PASSWORD": "hunter2"})
    variables = {"PASSWORD": "swordfish", "MODE": "swordfish"}
    services.update_deployment(teammate, endpoint="risk", name="blue", document={"environment_variables": variables})


ADDRESSES = [
    *(reverse(f"deployments:{name}", args=BLUE) for name in ("detail", "yaml", "revisions")),
    reverse("deployments:revisions", args=BLUE) + "?from=1&to=2",
    reverse("endpoints:detail", args=["risk"]),
    reverse("endpoints:activity", args=["risk"]),
    reverse("operations:list"),
    reverse("operations:audit"),
    reverse("operations:audit-csv"),
    "/api/v1/online-endpoints/risk/deployments",
    "/api/v1/online-endpoints/risk/deployments/blue",
    "/api/v1/online-endpoints/risk/deployments/blue/revisions",
    "/api/v1/online-endpoints/risk/deployments/blue/revisions/1?against=2",
    "/api/v1/operations",
    "/api/v1/audit",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_tells_a_reader_a_value(address: str, blue: None, reader: User) -> None:
    client = Client()
    client.force_login(reader)
    answer = client.get(address)
    assert answer.status_code == 200
    assert not [secret for secret in SECRETS if secret in answer.text]


def test_a_reader_sees_the_names_and_that_a_value_changed(blue: None, reader: User) -> None:
    client = Client()
    client.force_login(reader)
    text = client.get(reverse("deployments:detail", args=BLUE)).text
    assert "PASSWORD" in text and "value hidden" in text
    entry = selectors.revision_history(reader, selectors.get_deployment(reader, *BLUE))[0]
    changes = {change.field: (change.before, change.after) for change in entry.changes}
    assert changes == {
        "environment_variables.PASSWORD": ("(hidden)", "(hidden)"),
        "environment_variables.MODE": (None, "(hidden)"),
    }


def test_who_may_write_the_deployment_sees_the_values(blue: None, teammate: User) -> None:
    shown = door_of(teammate).get("/api/v1/online-endpoints/risk/deployments/blue").data
    assert shown["environment_variables"] == {"PASSWORD": "swordfish", "MODE": "swordfish"}
    changes = selectors.revision_changes(teammate, selectors.get_deployment(teammate, *BLUE), before=1, after=2)
    assert ("environment_variables.PASSWORD", "hunter2", "swordfish") in [
        (change.field, change.before, change.after) for change in changes
    ]


def test_what_was_exported_with_hidden_values_is_refused(blue: None, reader: User) -> None:
    shown = door_of(reader).get("/api/v1/online-endpoints/risk/deployments/blue").data
    document = services.document_of(selectors.current_revision(reader, selectors.get_deployment(reader, *BLUE)))
    assert shown["environment_variables"] == {"PASSWORD": None, "MODE": None}
    with pytest.raises(Invalid) as refusal:
        OnlineDeploymentDocument.read(document)
    fields = {detail.field for detail in refusal.value.details}
    assert fields == {"environment_variables.PASSWORD", "environment_variables.MODE"}


def test_the_record_is_left_as_it_is(blue: None, reader: User, teammate: User) -> None:
    selectors.revision_history(reader, selectors.get_deployment(reader, *BLUE))
    row = selectors.get_deployment(teammate, *BLUE)
    assert selectors.revision_now(row).spec["environment_variables"]["PASSWORD"] == "swordfish"


def test_no_value_is_written_into_the_audit_trail(blue: None) -> None:
    assert not [
        record for record in AuditRecord.objects.all() if any(s in f"{record.before}{record.after}" for s in SECRETS)
    ]
