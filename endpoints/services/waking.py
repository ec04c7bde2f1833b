"""Wakes the control room once the surrounding transaction has committed: only what is recorded may be worked on."""

from __future__ import annotations

from django.db import transaction

from endpoints.control.waking import RECONCILE_DEPLOYMENT, wake
from endpoints.models import OnlineDeployment


def wake_reconciler(deployment: OnlineDeployment) -> None:
    """Have the deployment looked at now rather than at the next sweep."""
    pk = deployment.pk
    transaction.on_commit(lambda: wake(RECONCILE_DEPLOYMENT, pk))
