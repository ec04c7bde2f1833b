"""Celery's doors to the control room. Every task may be lost, repeated or killed half-way."""

from __future__ import annotations

from celery import shared_task

from endpoints.control import environments, garbage, reconcile, sweep


@shared_task(name="endpoints.tasks.reconcile_deployment")
def reconcile_deployment(deployment_id: int) -> None:
    """Take one deployment as far as it goes now."""
    reconcile.reconcile(deployment_id)


@shared_task(name="endpoints.tasks.sweep")
def sweep_all() -> None:
    """Find what needs looking at."""
    sweep.sweep()


@shared_task(name="endpoints.tasks.build_environment")
def build_environment(key: str, target: str = "process") -> None:
    """Build one environment unless somebody does."""
    environments.build(key, target)


@shared_task(name="endpoints.tasks.collect_garbage")
def collect_garbage() -> None:
    """Remove what nobody needs."""
    garbage.collect()
