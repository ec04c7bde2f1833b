"""What people did: kept as it happens, with where it came from; filtered, exported, never changed."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints import services
from endpoints.control.clock import SYSTEM_CLOCK
from endpoints.control.garbage import forget_audit
from endpoints.models import OnlineEndpoint
from studio.access.models import AuditRecord, User
from studio.access.roles import assign
from tests.pages import world
from tests.pages.conftest import visiting

RISK = ["diabetes-risk"]


def last() -> AuditRecord:
    return AuditRecord.objects.order_by("-pk")[0]


def test_sign_ins_are_kept_whether_they_succeed_or_not(olivia: User) -> None:
    client = visiting(None)
    client.post("/sign-in/", {"username": "olivia", "password": "not this"})
    assert (last().action, last().target, last().is_refused) == ("SignInFailed", "user olivia", True)
    client.post("/sign-in/", {"username": "olivia", "password": "correct horse battery"})
    assert (last().action, last().actor, last().address, last().door) == ("SignIn", "olivia", "127.0.0.1", "page")
    client.post("/sign-out/")
    assert last().action == "SignOut"
    assert "not this" not in str(list(AuditRecord.objects.values()))


def test_showing_keys_is_kept_and_the_keys_are_not(olivia: User, risk: OnlineEndpoint) -> None:
    visiting(olivia).post(reverse("endpoints:keys", args=RISK))
    assert (last().action.rpartition("/onlineEndpoints/")[2], last().target) == (
        "listKeys/action",
        "endpoint diabetes-risk",
    )
    keys = services.get_credentials(olivia, name="diabetes-risk")
    assert keys.primary not in str(list(AuditRecord.objects.values()))  # type: ignore[union-attr]


def test_a_change_is_kept_with_what_was_and_what_is(olivia: User, risk: OnlineEndpoint) -> None:
    visiting(olivia).post(reverse("endpoints:edit", args=RISK), {"description": "New", "tags": "team=risk"})
    assert last().before == {"description": "Progression of diabetes after a year"}
    assert last().after == {"description": "New"}
    page = visiting(olivia).get(reverse("operations:audit")).text
    assert "Progression of diabetes after a year" in page


def test_values_of_environment_variables_stay_out(olivia: User, risk: OnlineEndpoint) -> None:
    changes = {"environment_variables": {"PASSWORD": "hunter2"}, "instance_count": 2}
    services.update_deployment(olivia, endpoint="diabetes-risk", name="green", document=changes)
    after = last().after or {}
    assert (after["environment_variables"], after["instance_count"]) == (["PASSWORD"], 2)
    assert "hunter2" not in str(list(AuditRecord.objects.values()))


def test_refusals_are_kept_from_pages_and_api(rafael: User, risk: OnlineEndpoint) -> None:
    visiting(rafael).get(reverse("endpoints:edit", args=RISK))
    assert (last().actor, last().target, last().is_refused) == ("rafael", "GET /endpoints/diabetes-risk/edit/", True)
    client = APIClient()
    client.force_authenticate(rafael)
    client.delete("/api/v1/online-endpoints/diabetes-risk")
    assert (last().door, last().action.rpartition("/")[2], last().is_refused) == ("api", "delete", True)


def test_what_does_not_happen_is_not_kept(olivia: User, risk: OnlineEndpoint) -> None:
    before = AuditRecord.objects.count()
    services.update_endpoint(olivia, name="diabetes-risk", changes={"tags": {"team": "risk"}})
    assert AuditRecord.objects.count() == before


def test_nothing_is_changed_or_taken_out(olivia: User, risk: OnlineEndpoint) -> None:
    visiting(olivia).post(reverse("endpoints:keys", args=RISK))
    for attempt in (
        last().save,
        last().delete,
        AuditRecord.objects.all().delete,
        lambda: AuditRecord.objects.update(actor="x"),
    ):
        with pytest.raises(TypeError, match="never"):
            attempt()


def test_the_list_and_its_export_are_filtered_alike(olivia: User, rafael: User, risk: OnlineEndpoint) -> None:
    visiting(rafael).get(reverse("endpoints:edit", args=RISK))
    visiting(olivia).post(reverse("endpoints:edit", args=RISK), {"description": "=HYPERLINK(1)", "tags": ""})
    page = visiting(olivia).get(reverse("operations:audit"), {"outcome": "refused", "q": "rafael edit"}).text
    assert "GET /endpoints/diabetes-risk/edit/" in page and "HYPERLINK" not in page
    answer = visiting(olivia).get(reverse("operations:audit-csv"), {"outcome": "refused", "since": "nonsense"})
    lines = list(csv.DictReader(answer.text.splitlines()))
    assert [line["actor"] for line in lines] == ["rafael"]


def test_whoever_may_not_read_it_is_offered_nothing(stefan: User, risk: OnlineEndpoint) -> None:
    assert visiting(stefan).get(reverse("operations:audit-csv")).status_code == 403
    scientist = world.person("mara")
    assign("AzureML Data Scientist", scientist)
    assert reverse("operations:audit") not in visiting(scientist).get(reverse("operations:list")).text


def test_sign_ins_are_a_list_of_their_own(olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    client.post(reverse("endpoints:keys", args=RISK))
    signs = client.get(reverse("operations:audit-csv"), {"kind": "sign-ins"}).text
    changes = client.get(reverse("operations:audit-csv"), {"kind": "changes"}).text
    assert "SignIn" in signs and "listKeys" not in signs
    assert "listKeys" in changes and "SignIn" not in changes


def test_entries_are_forgotten_when_they_are_older_than_set(olivia: User, risk: OnlineEndpoint) -> None:
    then = timezone.now() - timedelta(days=31)
    AuditRecord(actor="mara", action="SignIn", at=then).save()
    forget_audit(SYSTEM_CLOCK)
    assert AuditRecord.objects.filter(actor="mara").exists()
    services.set_studio_settings(olivia, values={"audit_days": 30})
    forget_audit(SYSTEM_CLOCK)
    assert not AuditRecord.objects.filter(actor="mara").exists()
    assert (last().actor, last().action) == ("", "AuditForgotten")
    assert "kept for 30 days" in visiting(olivia).get(reverse("operations:audit")).text
