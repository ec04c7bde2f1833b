"""What the shared pool has lent, and to whom."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet, Sum

from endpoints.models import OnlineDeployment, PoolLoan
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require


def open_loans() -> QuerySet[PoolLoan]:
    """Those whose cores are not free yet. A loan of a deployment that is gone has nobody to hold them."""
    return PoolLoan.objects.filter(ended_at=None, deployment__isnull=False)


def lent_cores() -> dict[str, int]:
    """By family. One query."""
    rows = open_loans().values_list("family").annotate(lent=Sum("cores"))
    return dict(rows)


def loans_for(user: User) -> QuerySet[PoolLoan]:
    """Open loans of deployments the reader may know of, the next to end first."""
    require(user, actions.QUOTA_READ)
    rows = open_loans().select_related("lent_to", "deployment")
    names = grants_of(user).endpoints(actions.DEPLOYMENTS_READ)
    return (rows if names is None else rows.filter(endpoint_name__in=names)).order_by("ends_at", "pk")


def loan_of(deployment: OnlineDeployment) -> PoolLoan | None:
    """The loan an authorised deployment stands on."""
    return open_loans().filter(deployment=deployment).select_related("lent_to").first()


def loans_of(deployments: Iterable[OnlineDeployment]) -> list[PoolLoan]:
    """The running loans of authorised deployments."""
    rows = open_loans().filter(deployment__in=[row.pk for row in deployments], deployment__stopped_at=None)
    return list(rows)
