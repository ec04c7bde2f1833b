"""Celery's doors to the control room. Every task may be lost, repeated or killed half-way."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import DatabaseError, connection
from django.utils import timezone

from endpoints import services
from endpoints.control import autoscaling, environments, garbage, hosts, leases, reconcile, sweep, waking
from endpoints.services import loans, rollout_turns
from endpoints.spec.errors import SlipwayError
from endpoints.spec.wakes import Wake
from endpoints.telemetry import comparisons, heartbeats, intake, pairs, rollups, samples
from studio.access.programs import AUTOSCALER, program

logger = logging.getLogger(__name__)


@shared_task(name="endpoints.tasks.reconcile_deployment")
def reconcile_deployment(deployment_id: int) -> None:
    """Take one deployment as far as it goes now, or hand it to the host whose it is."""
    place = hosts.place_of(deployment_id)
    if place != hosts.here() and place:
        waking.wake(waking.RECONCILE_DEPLOYMENT, deployment_id, host=place)
    else:
        reconcile.reconcile(deployment_id)


def take_over() -> None:
    """A worker starts: what another one of this host held when it was killed is anybody's again, from now on."""
    try:
        if leases.free_those_of_the_dead():
            sweep.sweep()
    except DatabaseError:
        logger.warning("The database does not answer yet; leases of a worker that was killed expire by themselves")
    finally:
        connection.close()


@shared_task(name="endpoints.tasks.sweep")
def sweep_all() -> None:
    """Find what needs looking at; other hosts look at their own."""
    for host in hosts.others():
        waking.wake(waking.GLANCE, host=host, expires_s=4)
    sweep.sweep()


@shared_task(name=waking.GLANCE)
def glance() -> None:
    """Look at what runs on this host alone."""
    sweep.glance_here()


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
    """Measure what instances use; other hosts measure their own."""
    for host in hosts.others():
        waking.wake(waking.MEASURE_HOST, host=host, expires_s=8)
    samples.sample(now=timezone.now())


@shared_task(name=waking.MEASURE_HOST)
def measure_host() -> None:
    """Measure what processes on this host use."""
    samples.sample_host(now=timezone.now())


@shared_task(name="endpoints.tasks.roll_up")
def roll_up() -> None:
    """Make the coarser slots that are complete."""
    rollups.roll_up(now=timezone.now())


@shared_task(name="endpoints.tasks.forget_telemetry")
def forget_telemetry() -> None:
    """Delete what was measured, and decided, long ago."""
    rollups.forget(now=timezone.now())
    comparisons.forget_old(now=timezone.now())
    autoscaling.forget_decisions(now=timezone.now())


@shared_task(name="endpoints.tasks.guard_rollouts")
def guard_rollouts() -> None:
    """Judge every rollout under way by what the gateways counted up to now."""
    if not rollout_turns.is_anything_under_way():
        return
    take_counters()
    rollout_turns.take_turns(now=timezone.now())


@shared_task(name="endpoints.tasks.autoscale")
def autoscale() -> None:
    """Look at every deployment with a scaling policy, and do what it says. One that fails does not stop the others."""
    now = timezone.now()
    redis = intake.connect()
    try:
        is_heard = heartbeats.are_counts_fresh(redis, now=now)
    finally:
        redis.close()
    for say in autoscaling.verdicts(now=now, is_heard=is_heard):
        try:
            services.apply_verdict(
                program(AUTOSCALER), endpoint=say.endpoint, name=say.deployment, count=say.count, verdict=say.verdict
            )
        except SlipwayError as refusal:
            logger.warning("Not scaled: %s/%s: %s", say.endpoint, say.deployment, refusal.message)


def wake(asked: Wake) -> None:
    """Wake a deployment that requests wait for; not a task, for a task would wait behind others."""
    try:
        services.wake_deployment(
            program(AUTOSCALER), endpoint=asked.endpoint, name=asked.deployment, reason="A request came."
        )
    except SlipwayError as refusal:
        logger.warning("Not woken: %s/%s: %s", asked.endpoint, asked.deployment, refusal.message)
