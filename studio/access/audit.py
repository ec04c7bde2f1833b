"""What people did, written as it happens and never changed. It decides nothing.

Where a call came from is not the services' to know: the doors say so (`came_from`), and it is kept with what is
recorded until the call ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet

from studio.access import actions
from studio.access.models import AuditRecord, User
from studio.access.policy import require

SIGN_IN, SIGN_IN_FAILED, SIGN_OUT = "SignIn", "SignInFailed", "SignOut"
TOKEN_MADE, TOKEN_REVOKED = "TokenMade", "TokenRevoked"  # names of events
FORGOTTEN = "AuditForgotten"
SIGNING_IN = (SIGN_IN, SIGN_IN_FAILED, SIGN_OUT)


@dataclass(frozen=True, slots=True)
class Origin:
    """address: of the caller. door: page or api."""

    address: str = ""
    door: str = ""


_NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


@contextmanager
def came_from(origin: Origin) -> Iterator[None]:
    """Whatever is recorded within came from there."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def record(
    actor: User | AnonymousUser | None,
    action: str,
    *,
    target: str = "",
    summary: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    is_refused: bool = False,
) -> AuditRecord:
    """Write one line. Inside a transaction it stands or falls with what it tells of. No secret belongs in it."""
    origin = _origin.get()
    return AuditRecord.objects.create(
        actor=actor.get_username() if actor is not None else "",
        action=action,
        target=target,
        summary=summary,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        is_refused=is_refused,
        address=origin.address,
        door=origin.door,
    )


def forget_before(at: datetime) -> int:
    """Take out what is older, for ever, and write down that it was; returns how much it was. The studio's alone."""
    with transaction.atomic():
        # Past the guard that keeps everybody else from it.
        old: QuerySet[AuditRecord] = QuerySet(AuditRecord).filter(at__lt=at)
        count = old.count()
        if count:
            old._raw_delete(using=old.db)
            summary = f"Forget {count} entries from before {at:%Y-%m-%d %H:%M} UTC, by the studio's setting"
            record(None, FORGOTTEN, target="audit log", summary=summary)
    return count


def records_for(user: User) -> QuerySet[AuditRecord]:
    """All of them, newest first."""
    require(user, actions.AUDIT_READ)
    return AuditRecord.objects.order_by("-at", "-pk")
