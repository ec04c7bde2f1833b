"""Guarded rollouts of an endpoint, for whoever may read it; and both of their deployments measured now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from endpoints.models import OnlineEndpoint, Rollout
from endpoints.selectors.online import authorised_endpoint
from endpoints.spec.errors import NotFound
from endpoints.telemetry import close
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of

RECENT = timedelta(minutes=5)


def rollouts_for(user: User, endpoint: str) -> QuerySet[Rollout]:
    """An endpoint's rollouts, newest first, with their stages."""
    found = authorised_endpoint(user, endpoint, actions.ENDPOINTS_READ)
    rows = Rollout.objects.filter(endpoint=found).select_related("endpoint", "created_by")
    return rows.prefetch_related("stages").order_by("-number")


def get_rollout(user: User, endpoint: str, number: int | None = None) -> Rollout:
    """One rollout by its number; the newest without one."""
    rows = rollouts_for(user, endpoint)
    row = (rows if number is None else rows.filter(number=number)).first()
    if row is None:
        what = "no rollout yet" if number is None else f"no rollout {number}"
        raise NotFound(f"The endpoint {endpoint.lower()!r} has {what}.")
    return row


def evidence_for(user: User, rollout: Rollout) -> dict[str, Any] | None:
    """A rollout's evidence; the log lines in it only for those who may read logs."""
    evidence: dict[str, Any] | None = rollout.evidence
    if evidence and not grants_of(user).allows(actions.LOGS_READ, rollout.endpoint.name):
        return {**evidence, "log": []}
    return evidence


def side_by_side(
    user: User, endpoint: str, deployments: tuple[str, ...], *, since: datetime | None, now: datetime | None = None
) -> dict[str, dict[str, close.Measured]]:
    """By deployment: `recent` is the last five minutes, `stage` all since `since` (nothing where that is None)."""
    found = authorised_endpoint(user, endpoint, actions.DEPLOYMENTS_READ)
    now = now or timezone.now()
    is_close = Rollout.objects.filter(endpoint=found, finished_at=None, created_at__lte=now - RECENT).exists()
    recent = close.stretch(max(now - RECENT, found.created_at), now, is_close=is_close)
    shown = {name: {"recent": close.measure(found.name, name, recent)} for name in deployments}
    if since is not None:
        window = close.stretch(min(since, now), now, is_close=_is_kept_close(found, since))
        for name in deployments:
            shown[name]["stage"] = close.measure(found.name, name, window)
    return shown


def _is_kept_close(endpoint: OnlineEndpoint, since: datetime) -> bool:
    """Whether the endpoint has been kept by the second from then on."""
    return Rollout.objects.filter(endpoint=endpoint, finished_at=None, created_at__lte=since).exists()
