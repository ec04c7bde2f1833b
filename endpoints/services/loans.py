"""A loan's life after it was taken: extended, repaid, warned of, ended; and the start of what was stopped."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from endpoints.control import routes
from endpoints.control.loans import Loan, Turn, due
from endpoints.models import Instance, OnlineDeployment, OnlineEndpoint, Operation, PoolLoan
from endpoints.selectors import authorised_deployment
from endpoints.selectors.loans import open_loans
from endpoints.selectors.studio_settings import setting
from endpoints.services import pool, quota
from endpoints.services.deployments import locked_deployment
from endpoints.services.operations import begin_roll_out, begin_stop, note_change
from endpoints.services.waking import wake_reconciler
from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require


def start_deployment(actor: User, *, endpoint: str, name: str, shared_pool_hours: int = 0) -> Operation:
    """Run a stopped deployment again, on its family's limit or, where hours are asked for, on a new loan."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    pool.require_hours(shared_pool_hours)
    with transaction.atomic():
        deployment = locked_deployment(known)
        if not deployment.stopped_at:
            raise Conflict(f"The deployment {known.name!r} is not stopped.")
        if pool.open_loan(deployment):
            raise Conflict(f"The deployment {known.name!r} is still stopping; start it when its instances are gone.")
        size = quota.find_size(deployment.instance_type)
        taken = pool.take(
            size,
            deployment.instance_count,
            endpoint=deployment.endpoint.name,
            deployment=deployment.name,
            may_borrow=shared_pool_hours > 0,
        )
        pool.stand_on(actor, deployment, taken, hours=shared_pool_hours)
        deployment.stopped_at, deployment.stop_reason = None, ""
        deployment.generation += 1
        deployment.save(update_fields=["stopped_at", "stop_reason", "generation", "updated_at"])
        operation = begin_roll_out(actor, deployment, kind="StartDeployment", summary="Start again", quota=taken.detail)
        routes.publish([deployment.endpoint.name])
        wake_reconciler(deployment)
    return operation


def extend_loan(actor: User, *, endpoint: str, name: str, hours: int) -> PoolLoan:
    """Let a loan end `hours` later than it would. A loan may become longer than the studio's longest this way."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_READ)
    require(actor, actions.QUOTA_WRITE)
    if not 1 <= hours <= setting("pool_longest_loan_h"):
        message = f"1 to {setting('pool_longest_loan_h')} hours more, not {hours}."
        raise Invalid(f"hours: {message}", details=[FieldError("hours", message)])
    with transaction.atomic():
        deployment = locked_deployment(known)
        loan = _running_loan(deployment)
        before, loan.ends_at, loan.warned_at = loan.ends_at, loan.ends_at + timedelta(hours=hours), None
        loan.save(update_fields=["ends_at", "warned_at"])
        summary = f"Extend the loan of {loan.cores} {loan.family} cores by {hours} h, to {_time(loan.ends_at)}"
        note_change(actor, deployment, kind="ExtendLoan", summary=summary)
        audit.record(
            actor,
            actions.QUOTA_WRITE,
            target=f"deployment {endpoint}/{name}",
            summary=summary,
            before={"ends_at": before.isoformat()},
            after={"ends_at": loan.ends_at.isoformat()},
        )
    return loan


def repay_loan(actor: User, *, endpoint: str, name: str) -> Operation:
    """Move a deployment from its loan to its family's limit, which has room for it by now. Nothing restarts."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        deployment = locked_deployment(known)
        loan = _running_loan(deployment)
        size = quota.find_size(deployment.instance_type)
        quota.take(size, deployment.instance_count, endpoint=deployment.endpoint.name, deployment=deployment.name)
        pool.close(loan, end=pool.REPAID)
        summary = f"Give {loan.cores} {loan.family} cores back to the shared pool: the family's limit has room"
        return note_change(actor, deployment, kind="RepayLoan", summary=summary)


def _running_loan(deployment: OnlineDeployment) -> PoolLoan:
    loan = pool.open_loan(deployment)
    if loan is None:
        raise NotFound(f"The deployment {deployment.name!r} stands on no loan of the shared pool.")
    if deployment.stopped_at:
        raise Conflict("The loan has ended; the deployment is stopping.")
    return loan


# By the studio itself --------------------------------------------------------------------------------------------


def take_turns(*, now: datetime) -> None:
    """Whatever is due of any loan. Each is its own transaction; taking a turn twice changes nothing."""
    PoolLoan.objects.filter(ended_at=None, deployment=None).update(ended_at=now, end=pool.DELETED)
    warning = timedelta(minutes=setting("pool_warning_min"))
    for loan_id in list(open_loans().values_list("pk", flat=True)):
        with transaction.atomic():
            _take_turn(loan_id, now=now, warning=warning)


def _take_turn(loan_id: int, *, now: datetime, warning: timedelta) -> None:
    known = open_loans().select_related("deployment__endpoint").filter(pk=loan_id).first()
    if known is None or known.deployment is None or known.deployment.deletion_requested_at:
        return
    endpoint = OnlineEndpoint.objects.select_for_update().get(pk=known.deployment.endpoint_id)
    deployment = OnlineDeployment.objects.select_for_update().get(pk=known.deployment.pk)
    deployment.endpoint = endpoint
    loan = PoolLoan.objects.select_for_update().get(pk=loan_id)
    match due(_facts(loan, deployment), now, warning=warning):
        case Turn.WARN:
            _warn(loan, deployment, now)
        case Turn.STOP:
            _stop(loan, deployment, now)
        case Turn.CLOSE:
            pool.close(loan, end=pool.EXPIRED)


def _facts(loan: PoolLoan, deployment: OnlineDeployment) -> Loan:
    is_stopping = deployment.stopped_at is not None
    has_stopped = is_stopping and not Instance.objects.filter(deployment=deployment, ended_at=None).exists()
    return Loan(loan.lent_at, loan.ends_at, loan.warned_at is not None, is_stopping, has_stopped)


def _warn(loan: PoolLoan, deployment: OnlineDeployment, now: datetime) -> None:
    loan.warned_at = now
    loan.save(update_fields=["warned_at"])
    summary = (
        f"Its loan of {loan.cores} {loan.family} cores from the shared pool ends at {_time(loan.ends_at)}; then it is"
        " stopped, unless it is moved to the family's limit before, or an admin extends the loan"
    )
    note_change(None, deployment, kind="WarnOfLoan", summary=summary)


def _stop(loan: PoolLoan, deployment: OnlineDeployment, now: datetime) -> None:
    deployment.stopped_at = now
    deployment.stop_reason = (
        f"stopped: its loan of {loan.cores} {loan.family} cores from the shared pool ended at {_time(loan.ends_at)}."
        " Start it again when the family's limit has room for it, or on another loan."
    )
    deployment.generation += 1
    deployment.save(update_fields=["stopped_at", "stop_reason", "generation", "updated_at"])
    summary = f"Stop: the loan of {loan.cores} {loan.family} cores from the shared pool ended"
    begin_stop(None, deployment, summary=summary)
    routes.publish([deployment.endpoint.name])
    wake_reconciler(deployment)


def _time(at: datetime) -> str:
    return f"{at.astimezone(timezone.get_default_timezone()):%Y-%m-%d %H:%M %Z}"
