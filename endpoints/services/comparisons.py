"""Comparisons of a shadow's answers: begun when mirroring or the rules for it change, and begun anew on request."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from endpoints.models import Comparison, OnlineEndpoint
from endpoints.selectors import authorised_endpoint
from endpoints.spec.comparison import verdict_rules
from endpoints.spec.errors import Conflict
from endpoints.spec.traffic import shadow_of
from endpoints.telemetry.comparisons import forget_all
from studio.access import actions, audit
from studio.access.models import User


def begin_comparison_if_new(endpoint: OnlineEndpoint) -> None:
    """Begin to count from nothing where another shadow is compared now, or by other rules. The row is locked.

    Without a shadow or without rules nothing begins, and what the last comparison found stays to be looked at.
    """
    shadow = shadow_of(endpoint.mirror_traffic)
    if endpoint.comparison is None or not shadow:
        return
    rules = verdict_rules(endpoint.comparison)
    known = Comparison.objects.filter(endpoint=endpoint).first()
    if known is None or (known.shadow, known.rules) != (shadow, rules):
        _begin(endpoint, shadow, rules)


def _begin(endpoint: OnlineEndpoint, shadow: str, rules: dict[str, object]) -> None:
    forget_all(endpoint.name)
    revision = endpoint.deployments.filter(name=shadow).values_list("revision", flat=True).first() or 0
    values = {"shadow": shadow, "revision": revision, "rules": rules, "started_at": timezone.now()}
    Comparison.objects.update_or_create(endpoint=endpoint, defaults=values)


def reset_comparison(actor: User, *, name: str) -> None:
    """Forget all that a comparison found, the kept answers too, and count on from nothing."""
    name = authorised_endpoint(actor, name, actions.ENDPOINTS_WRITE).name
    with transaction.atomic():
        endpoint = OnlineEndpoint.objects.select_for_update().get(name=name)
        known = Comparison.objects.filter(endpoint=endpoint).first()
        if known is None:
            raise Conflict(f"Nothing was ever compared at {name!r}; there is nothing to forget.")
        _begin(endpoint, known.shadow, known.rules)
        summary = f"Forget what comparing {known.shadow} found"
        audit.record(actor, actions.ENDPOINTS_WRITE, target=f"endpoint {name}", summary=summary)
