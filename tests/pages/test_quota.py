"""Quota from a browser: limits, requests and their answers, what-if, CSV, instance types."""

from __future__ import annotations

import csv

import pytest
from django.urls import reverse

from endpoints import services
from endpoints.models import FamilyQuota, InstanceType, OnlineEndpoint, QuotaChange, QuotaRequest
from studio.access.audit import records_for
from studio.access.models import User
from studio.access.roles import assign
from tests.pages import world
from tests.pages.conftest import visiting


@pytest.fixture
def mara(db: None) -> User:
    """A member: deploys, and asks for more."""
    member = world.person("mara")
    assign("AzureML Data Scientist", member)
    return member


def limits(**changed: int) -> dict[str, str]:
    rows = FamilyQuota.objects.values_list("family", "limit_cores")
    return {f"limit-{family}": str(changed.get(family, limit)) for family, limit in rows}


def test_limits_are_saved_together_with_their_history(olivia: User) -> None:
    answer = visiting(olivia).post(reverse("quota"), limits(DSv2=80, FSv2=48))
    assert answer.headers["Location"] == "/quota/"
    assert FamilyQuota.objects.get(family="DSv2").limit_cores == 80
    changes = QuotaChange.objects.order_by("family").values_list("family", "cores_before", "cores_after")
    assert list(changes) == [("DSv2", 240, 80), ("FSv2", 240, 48)]
    assert "DSv2: 240 to 80 cores" in visiting(olivia).get(reverse("quota:history")).text
    assert records_for(olivia).filter(target="family FSv2")[0].summary == "Limit of FSv2: 240 to 48 cores"


def test_what_somebody_else_saved_meanwhile_stays(olivia: User) -> None:
    shown = limits()
    seen = {f"initial-{name}": value for name, value in shown.items()}
    services.set_family_limit(olivia, family="FSv2", limit_cores=48)
    visiting(olivia).post(reverse("quota"), {**shown, **seen, "limit-DSv2": "80"})
    assert FamilyQuota.objects.get(family="FSv2").limit_cores == 48
    assert FamilyQuota.objects.get(family="DSv2").limit_cores == 80


def test_one_bad_limit_saves_none(olivia: User) -> None:
    answer = visiting(olivia).post(reverse("quota"), limits(DSv2=80, FSv2=-1))
    assert answer.status_code == 422
    assert 'value="80"' in answer.text
    assert not QuotaChange.objects.exists()


def test_limits_of_the_workspace_say_their_unit_and_where_there_is_none(olivia: User) -> None:
    page = " ".join(visiting(olivia).get(reverse("quota")).text.split())
    assert "<td>Connections open at a gateway</td>" in page and '<td class="num">no limit</td>' in page
    assert '180,000 <span class="hint">ms</span>' in page


def test_a_member_sees_limits_and_cannot_set_them(mara: User) -> None:
    page = visiting(mara).get(reverse("quota"))
    assert "Save limits" not in page.text and 'name="limit-DSv2"' not in page.text
    answer = visiting(mara).post(reverse("quota"), limits(DSv2=1))
    assert answer.status_code == 403
    assert "locations/updateQuotas/action" in answer.text


def test_a_member_asks_and_an_owner_approves(mara: User, olivia: User) -> None:
    visiting(mara).post(reverse("quota:request"), {"family": "DSv2", "limit_cores": "300", "reason": "spring sale"})
    [asked] = QuotaRequest.objects.all()
    assert "spring sale" in visiting(olivia).get(reverse("quota")).text
    visiting(olivia).post(reverse("quota:approve", args=[asked.pk]), {"note": "until June"})
    assert FamilyQuota.objects.get(family="DSv2").limit_cores == 300
    page = visiting(mara).get(reverse("quota")).text
    assert "Approved" in page and "until June" in page


def test_a_refusal_needs_a_reason_and_changes_nothing(mara: User, olivia: User) -> None:
    asked = services.request_quota(mara, family="DSv2", limit_cores=300)
    url = reverse("quota:decline", args=[asked.pk])
    assert visiting(olivia).post(url, {"note": ""}).status_code == 422
    visiting(olivia).post(url, {"note": "Use FSv2."})
    asked.refresh_from_db()
    assert (asked.state, asked.note, asked.decided_by) == ("Declined", "Use FSv2.", olivia)
    assert FamilyQuota.objects.get(family="DSv2").limit_cores == 240
    assert visiting(olivia).post(url, {"note": "again"}).status_code == 409


def test_members_see_their_own_requests_and_decide_none(mara: User, rafael: User) -> None:
    asked = services.request_quota(mara, family="DSv2", limit_cores=300, reason="spring sale")
    assert "spring sale" not in visiting(rafael).get(reverse("quota")).text
    for name in ("quota:approve", "quota:decline"):
        assert visiting(mara).post(reverse(name, args=[asked.pk]), {"note": "yes"}).status_code == 403
    assert reverse("quota:approve", args=[asked.pk]) not in visiting(mara).get(reverse("quota")).text


def test_asking_for_less_is_refused_at_its_field(mara: User) -> None:
    answer = visiting(mara).post(reverse("quota:request"), {"family": "DSv2", "limit_cores": "3"})
    assert answer.status_code == 422
    assert "more than the present limit of 240" in answer.text


@pytest.mark.parametrize(
    ("count", "words"),
    [("10", "= <b>48 DSv2 cores</b>, with 20 % kept free"), ("51", "it does not fit"), ("1", "At most")],
)
def test_what_if_shows_the_sum(count: str, words: str, olivia: User) -> None:
    query = {"instance_type": "Standard_DS3_v2", "instance_count": count}
    assert words in visiting(olivia).get(reverse("quota:what-if"), query).text


def test_the_csv_has_families_and_their_deployments(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(reverse("quota:csv"))
    lines = list(csv.DictReader(answer.text.splitlines()))
    family = next(line for line in lines if line["family"] == "DSv2" and not line["deployment"])
    parts = [line for line in lines if line["family"] == "DSv2" and line["deployment"]]
    assert int(family["in_use"]) == sum(int(part["in_use"]) for part in parts) == 24
    assert int(family["free"]) == int(family["limit"]) - int(family["in_use"]) - int(family["reserved"])


def test_an_own_type_is_added_with_its_family_and_edited(olivia: User) -> None:
    wanted = {"name": "Own_8", "family": "Workstations", "cores": "8", "memory_gib": "32", "gpus": "", "gpu_model": ""}
    visiting(olivia).post(reverse("quota:type-add"), wanted)
    assert FamilyQuota.objects.filter(family="Workstations").exists()
    visiting(olivia).post(reverse("quota:type-edit", args=["own_8"]), {**wanted, "cores": "6", "price_per_hour": "0.5"})
    row = InstanceType.objects.get(name="Own_8")
    assert (row.cores, row.gpus, float(row.price_per_hour or 0), row.is_builtin) == (6, 0, 0.5, False)


def test_a_type_that_cannot_be_is_refused_at_its_fields(olivia: User) -> None:
    wrong = {"name": "standard_ds3_V2", "family": "DSv2", "cores": "8", "memory_gib": "32"}
    assert "already" in visiting(olivia).post(reverse("quota:type-add"), wrong).text
    answer = visiting(olivia).post(reverse("quota:type-add"), {**wrong, "name": "my type", "memory_gib": "-1"})
    assert answer.status_code == 422
    assert "Begin with a letter" in answer.text and "More than 0" in answer.text


def test_a_member_changes_no_type(mara: User) -> None:
    for url in (reverse("quota:type-add"), reverse("quota:type-edit", args=["Standard_DS3_v2"])):
        assert (
            visiting(mara).post(url, {"name": "x", "family": "x", "cores": "1", "memory_gib": "1"}).status_code == 403
        )
    assert "Edit</a>" not in visiting(mara).get(reverse("quota:types")).text
