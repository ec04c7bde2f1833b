"""Celery's doors to the control room. Every task may be lost, repeated or killed half-way."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from endpoints.control import environments, garbage, reconcile, sweep
from endpoints.services import loans, rollout_turns
from endpoints.telemetry import intake, pairs, rollups, samples


@shared_task(name="endpoints.tasks.reconcile_deployment")
def reconcile_deployment(deployment_id: int) -> None:
    """Take one deployment as far as it goes now."""
    reconcile.reconcile(deployment_id)


@shared_task(name="endpoints.tasks.sweep")
def sweep_all() -> None:
    """Find what needs looking at."""
    sweep.sweep()


@shared_task(name="endpoints.tasks.look_after_loans")
def look_after_loans() -> None:
    """Warn of loans that end soon, stop what stands on one that ended, free the cores of what has stopped."""
    loans.take_turns(now=timezone.now())


@shared_task(name="endpoints.tasks.build_environment")
def build_environment(key: str, target: str = "process") -> None:
    """Build one environment unless somebody does."""
    environments.build(key, target)


@shared_task(name="endpoints.tasks.collect_garbage")
def collect_garbage() -> None:
    """Remove what nobody needs."""
    garbage.collect()


@shared_task(name="endpoints.tasks.take_counters")
def take_counters() -> None:
    """Add what the gateways counted."""
    redis = intake.connect()
    try:
        intake.take_all(redis, now=timezone.now())
    finally:
        redis.close()


@shared_task(name="endpoints.tasks.take_pairs")
def take_pairs() -> None:
    """Compare the answers that gateways kept of live deployments and their shadows."""
    redis = intake.connect()
    try:
        pairs.take_all(redis, now=timezone.now())
    finally:
        redis.close()


@shared_task(name="endpoints.tasks.sample_instances")
def sample_instances() -> None:
    """Measure what instances use."""
    samples.sample(now=timezone.now())


@shared_task(name="endpoints.tasks.roll_up")
def roll_up() -> None:
    """Make the coarser slots that are complete."""
    rollups.roll_up(now=timezone.now())


@shared_task(name="endpoints.tasks.forget_telemetry")
def forget_telemetry() -> None:
    """Delete what was measured long ago."""
    rollups.forget(now=timezone.now())


@shared_task(name="endpoints.tasks.guard_rollouts")
def guard_rollouts() -> None:
    """Judge every rollout under way by what the gateways counted up to now."""
    if not rollout_turns.is_anything_under_way():
        return
    take_counters()
    rollout_turns.take_turns(now=timezone.now())
