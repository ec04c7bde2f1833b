"""What the autoscaler has to say now: every deployment with a policy, what was measured of it, and the verdict.

It reads and decides; services carry out. A deployment with a change under way, or one that failed, is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from endpoints.control.autoscale import STARTS_COOL_DOWN, Cause, Past, Verdict, decide
from endpoints.models import OnlineDeployment, ScalingDecision
from endpoints.spec.errors import Invalid
from endpoints.spec.scaling_policy import Policy, stored_policy
from endpoints.telemetry.signals import Signals

logger = logging.getLogger(__name__)

DECISIONS_KEPT = timedelta(days=90)
_FORGOTTEN_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Say:
    """A verdict that changes something, or is worth putting down."""

    endpoint: str
    deployment: str
    count: int
    verdict: Verdict


def verdicts(*, now: datetime, is_heard: bool) -> Iterator[Say]:
    """On every deployment that may be scaled now. is_heard: the gateways' counts arrive."""
    rows = OnlineDeployment.objects.exclude(scaling={}).select_related("endpoint")
    settled = rows.filter(
        observed_generation__gte=F("generation"), deletion_requested_at=None, stopped_at=None, failure__isnull=True
    )
    for row in settled.order_by("pk"):
        try:
            policy = stored_policy(row.scaling)
        except Invalid as bad:  # written by another version
            logger.error("The scaling policy of %s cannot be read: %s", row, bad.message)
            continue
        if policy is None:
            continue
        verdict = _verdict(row, policy, now=now, is_heard=is_heard)
        if verdict.cause is not Cause.NOTHING or verdict.entered != row.schedule_entered:
            yield Say(row.endpoint.name, row.name, row.instance_count, verdict)


def _verdict(row: OnlineDeployment, policy: Policy, *, now: datetime, is_heard: bool) -> Verdict:
    signals = Signals(row, now, is_heard)
    count = row.instance_count
    values = signals.answers(policy.questions) if count else {}
    idle_s = signals.idle_s(policy.idle_timeout_s) if policy.idle_timeout_s and count else None
    past = Past(changed_at=_changed_at(row), entered=row.schedule_entered, idle_s=idle_s)
    return decide(policy, now=now, count=count, values=values, past=past)


def _changed_at(row: OnlineDeployment) -> datetime | None:
    """The last change that starts the cool-downs."""
    made = row.scaling_decisions.filter(cause__in=[*STARTS_COOL_DOWN, Cause.QUOTA]).exclude(given=F("before"))
    return made.order_by("-at", "-pk").values_list("at", flat=True).first()


def forget_decisions(*, now: datetime) -> int:
    """Delete what was decided long ago; returns how many."""
    old = ScalingDecision.objects.filter(last_at__lt=now - DECISIONS_KEPT).order_by("pk")
    pks = list(old.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
    count, _ = ScalingDecision.objects.filter(pk__in=pks).delete()
    return count
