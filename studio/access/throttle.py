"""How often a password may be guessed. It counts what the audit trail holds and keeps nothing of its own.

A few wrong passwords for one name from one address, or many for any names from one address, and the next try has to
wait. Someone who guesses elsewhere keeps nobody out: the name alone never locks.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from studio.access import audit
from studio.access.models import AuditRecord

WINDOW = timedelta(minutes=5)
PER_NAME_AND_ADDRESS = 5
PER_ADDRESS = 50


def seconds_to_wait(name: str, address: str, *, now: datetime) -> int:
    """Until `name` may be tried again from `address`; 0 where it may be tried now."""
    failed = AuditRecord.objects.filter(action=audit.SIGN_IN_FAILED, address=address, at__gt=now - WINDOW)
    own = failed.filter(target__iexact=f"user {name[:150]}")
    signed_in = AuditRecord.objects.filter(
        action=audit.SIGN_IN, address=address, actor__iexact=name, at__gt=now - WINDOW
    )
    last = signed_in.order_by("-at").values_list("at", flat=True).first()
    if last is not None:
        own = own.filter(at__gt=last)
    return max(_wait(own, PER_NAME_AND_ADDRESS, now), _wait(failed, PER_ADDRESS, now))


def _wait(failed: QuerySet[AuditRecord], allowed: int, now: datetime) -> int:
    """Until fewer than `allowed` of them lie within the window."""
    newest = list(failed.order_by("-at").values_list("at", flat=True)[:allowed])
    if len(newest) < allowed:
        return 0
    return max(1, round((newest[-1] + WINDOW - now).total_seconds()))
