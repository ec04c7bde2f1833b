"""The shared pool: cores of a family, lent for a time to a deployment that its limit has no room for.

A deployment stands on its family's limit or on a loan, never on both. Loans are taken under the family's lock, in the
transaction that accepts the change, so they never add up to more than the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone

from endpoints.models import FamilyQuota, OnlineDeployment, PoolLoan
from endpoints.selectors.loans import open_loans
from endpoints.selectors.studio_settings import setting
from endpoints.services import quota
from endpoints.spec.errors import FieldError, Invalid, OutOfQuota
from endpoints.spec.instance_types import InstanceSize
from endpoints.spec.quota import needed_cores
from studio.access.models import User

EXPIRED, REPAID, DELETED = "Expired", "Repaid", "Deleted"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a deployment is to stand on. borrowed_cores: 0 where its family's limit has room; detail: for a person."""

    family: str
    detail: str
    borrowed_cores: int = 0


def take(size: InstanceSize, instance_count: int, *, endpoint: str, deployment: str, may_borrow: bool) -> Taken:
    """Room for the deployment beside all others: of its family's limit, else, where it may, of the shared pool.

    Call it inside the transaction that writes the deployment's row: the family stays locked until it ends.
    """
    try:
        return Taken(size.family, quota.take(size, instance_count, endpoint=endpoint, deployment=deployment))
    except OutOfQuota as refusal:
        row = FamilyQuota.objects.get(family=size.family)  # locked by quota.take
        others = open_loans().filter(family=size.family)
        others = others.exclude(endpoint_name=endpoint, deployment_name=deployment)
        free = row.pool_cores - (others.aggregate(lent=Sum("cores"))["lent"] or 0)
        needed = needed_cores(instance_count, cores=size.cores, is_exempt=size.is_exempt)
        if may_borrow and needed <= free:
            detail = f"{needed} of {free} free {size.family} cores of the shared pool, for a time"
            return Taken(size.family, detail, needed)
        raise _with_pool(refusal, row, max(free, 0), may_borrow=may_borrow) from None


def _with_pool(refusal: OutOfQuota, row: FamilyQuota, free: int, *, may_borrow: bool) -> OutOfQuota:
    if not row.pool_cores:
        return refusal
    has = f" The shared pool of the family has {free} of {row.pool_cores} cores free"
    tail = "." if may_borrow else ": ask for them with shared_pool_hours, for a new deployment or one that is stopped."
    message = refusal.message + has + tail
    return OutOfQuota(message, details=[FieldError("instance_count", message)])


def require_hours(hours: int) -> None:
    """Raise Invalid for a loan that is longer than the studio allows."""
    longest = setting("pool_longest_loan_h")
    if not 0 <= hours <= longest:
        message = f"The shared pool lends for 1 to {longest} hours, not {hours}."
        raise Invalid(f"shared_pool_hours: {message}", details=[FieldError("shared_pool_hours", message)])


def open_loan(deployment: OnlineDeployment) -> PoolLoan | None:
    """The loan it stands on, locked."""
    return PoolLoan.objects.select_for_update().filter(deployment=deployment, ended_at=None).first()


def stand_on(actor: User, deployment: OnlineDeployment, taken: Taken, *, hours: int = 0) -> None:
    """Write what `take` found: lend, change the loan there is, or end it where the family's limit has room again.

    hours: of a loan that begins now; one that is there keeps its end.
    """
    loan = open_loan(deployment)
    if not taken.borrowed_cores:
        if loan:
            close(loan, end=REPAID)
        return
    if loan is None:
        loan = PoolLoan(
            deployment=deployment,
            endpoint_name=deployment.endpoint.name,
            deployment_name=deployment.name,
            lent_to=actor,
            ends_at=timezone.now() + timedelta(hours=hours),
        )
    loan.family, loan.cores = taken.family, taken.borrowed_cores
    loan.save()


def shrink(deployment: OnlineDeployment, size: InstanceSize, instance_count: int) -> None:
    """Give back what a deployment on a loan takes no more."""
    needed = needed_cores(instance_count, cores=size.cores, is_exempt=size.is_exempt)
    PoolLoan.objects.filter(deployment=deployment, ended_at=None, cores__gt=needed).update(cores=needed)


def close(loan: PoolLoan, *, end: str) -> None:
    """Its cores are free again."""
    loan.ended_at, loan.end = timezone.now(), end
    loan.save(update_fields=["ended_at", "end"])
