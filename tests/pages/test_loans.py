"""Loans of the shared pool on the pages: shown with a countdown, extended, repaid; a stopped deployment started."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from endpoints import services
from endpoints.models import FamilyQuota, OnlineDeployment, OnlineEndpoint, PoolLoan
from studio.access.models import User
from studio.access.roles import assign
from tests.pages import world
from tests.pages.conftest import visiting

BLUE = ("diabetes-risk", "blue")


@pytest.fixture
def loan(olivia: User, risk: OnlineEndpoint) -> PoolLoan:
    """blue stands on a loan of the pool that has eight more hours."""
    services.set_family_limit(olivia, family="DSv2", pool_cores=32)
    return PoolLoan.objects.create(
        deployment=risk.deployments.get(name="blue"),
        endpoint_name="diabetes-risk",
        deployment_name="blue",
        family="DSv2",
        cores=16,
        lent_to=olivia,
        ends_at=timezone.now() + timedelta(hours=8),
    )


def stop(loan: PoolLoan) -> None:
    OnlineDeployment.objects.filter(name="blue").update(
        stopped_at=timezone.now(), stop_reason="stopped: its loan of 16 DSv2 cores ended.", ready_instances=0
    )
    loan.ended_at = timezone.now()
    loan.save()


def test_the_deployments_page_counts_down(loan: PoolLoan, olivia: User) -> None:
    text = visiting(olivia).get(reverse("deployments:detail", args=BLUE)).text
    assert "16 DSv2 cores of the shared pool" in text and "data-countdown" in text
    assert reverse("deployments:extend", args=BLUE) in text
    assert "lent by the shared pool" in visiting(olivia).get(reverse("endpoints:detail", args=["diabetes-risk"])).text


def test_a_stopped_deployment_says_why_and_how_to_get_it_back(loan: PoolLoan, olivia: User) -> None:
    stop(loan)
    text = visiting(olivia).get(reverse("deployments:detail", args=BLUE)).text
    assert "Stopped: its loan of 16 DSv2 cores ended." in text and "90 % of the traffic were its own" in text
    assert reverse("deployments:start", args=BLUE) in text
    assert 'data-state="Stopped"' in visiting(olivia).get(reverse("endpoints:detail", args=["diabetes-risk"])).text


def test_it_is_started_from_its_page(loan: PoolLoan, olivia: User) -> None:
    stop(loan)
    url = reverse("deployments:start", args=BLUE)
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=0, pool_cores=0)
    assert "Not enough quota" in visiting(olivia).post(url, {"shared_pool_hours": 0}).text
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=240)
    assert visiting(olivia).post(url, {"shared_pool_hours": 0}).status_code == 302
    assert not OnlineDeployment.objects.get(name="blue").stopped_at


def test_a_loan_is_extended_by_who_may_change_quota(loan: PoolLoan, olivia: User) -> None:
    assign("AzureML Data Scientist", mara := world.person("mara"))
    url = reverse("deployments:extend", args=BLUE)
    assert visiting(mara).post(url, {"hours": 2}).status_code == 403
    assert url not in visiting(mara).get(reverse("deployments:detail", args=BLUE)).text
    visiting(olivia).post(url, {"hours": 2})
    assert PoolLoan.objects.get().ends_at == loan.ends_at + timedelta(hours=2)


def test_a_loan_is_given_back_from_its_page(loan: PoolLoan, olivia: User) -> None:
    url = reverse("deployments:repay", args=BLUE)
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=0)
    assert visiting(olivia).post(url).status_code == 409
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=240)
    assert visiting(olivia).post(url).status_code == 302
    assert PoolLoan.objects.get().end == "Repaid"


def test_the_quota_page_shows_the_pool_and_sets_its_size(loan: PoolLoan, olivia: User, rafael: User) -> None:
    text = visiting(rafael).get(reverse("quota")).text
    assert "16 of 32 cores lent, 16 free" in text and "diabetes-risk / blue" in text
    form = {
        f"{kind}-{row.family}": row.limit_cores
        for row in FamilyQuota.objects.all()
        for kind in ("limit", "initial-limit")
    }
    visiting(olivia).post(reverse("quota"), {**form, "pool-DSv2": 64, "initial-pool-DSv2": 32})
    assert FamilyQuota.objects.get(family="DSv2").pool_cores == 64
    assert "Shared pool of DSv2: 32 to 64 cores" in visiting(olivia).get(reverse("quota:history")).text


def test_the_script_that_counts_down_is_on_the_page(olivia: User) -> None:
    assert "js/countdown.js" in visiting(olivia).get(reverse("home")).text
