"""Asking for more cores, and deciding about it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from endpoints.models import FamilyQuota, QuotaRequest
from endpoints.services.quota import MOST_CORES, set_family_limit
from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

OPEN, APPROVED, DECLINED = "Open", "Approved", "Declined"


def request_quota(actor: User, *, family: str, limit_cores: int, reason: str = "") -> QuotaRequest:
    """Ask for a higher limit of a family. A person has one open request a family; a second replaces it."""
    require(actor, actions.QUOTA_READ)
    with transaction.atomic():
        quota = FamilyQuota.objects.select_for_update().filter(family=family).first()
        if quota is None:
            raise _invalid("family", f"There is no family {family!r}.")
        if not quota.limit_cores < limit_cores <= MOST_CORES:
            raise _invalid("limit_cores", f"Ask for more than the present limit of {quota.limit_cores} cores.")
        row, _ = QuotaRequest.objects.update_or_create(
            family=family,
            asked_by=actor,
            state=OPEN,
            defaults={"limit_cores": limit_cores, "reason": reason, "asked_at": timezone.now()},
        )
        summary = f"Ask for {limit_cores} {family} cores"
        audit.record(actor, actions.QUOTA_READ, target=f"family {family}", summary=summary)
    return row


def approve_quota_request(actor: User, *, request_id: int, note: str = "") -> QuotaRequest:
    """Give what was asked for; a limit that is higher by now stays."""
    require(actor, actions.QUOTA_WRITE)
    with transaction.atomic():
        row = _open_request(request_id)
        limit = FamilyQuota.objects.get(family=row.family).limit_cores
        set_family_limit(actor, family=row.family, limit_cores=max(limit, row.limit_cores), note=note)
        return _decide(actor, row, APPROVED, note)


def decline_quota_request(actor: User, *, request_id: int, note: str) -> QuotaRequest:
    """Say no, and why."""
    require(actor, actions.QUOTA_WRITE)
    if not note.strip():
        raise _invalid("note", "Say why, so that they know what to do instead.")
    with transaction.atomic():
        return _decide(actor, _open_request(request_id), DECLINED, note)


def _open_request(request_id: int) -> QuotaRequest:
    row = QuotaRequest.objects.select_for_update().filter(pk=request_id).first()
    if row is None:
        raise NotFound(f"There is no request {request_id} for quota.")
    if row.state != OPEN:
        raise Conflict(f"The request was {row.state.lower()} already.")
    return row


def _decide(actor: User, row: QuotaRequest, state: str, note: str) -> QuotaRequest:
    row.state, row.note, row.decided_by, row.decided_at = state, note, actor, timezone.now()
    row.save(update_fields=["state", "note", "decided_by", "decided_at"])
    summary = f"{state} {row.limit_cores} {row.family} cores"
    audit.record(actor, actions.QUOTA_WRITE, target=f"family {row.family}", summary=summary, after={"note": note})
    return row


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", details=[FieldError(field, message)])
