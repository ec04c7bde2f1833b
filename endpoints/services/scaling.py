"""Scaling: a policy set and taken away, what the autoscaler decided carried out, sleepers woken.

The autoscaler is an actor like any other: permission, quota, operations and the audit trail are the same for it. Unlike
a person's, its wish is fulfilled as far as quota allows, and the rest is put down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from endpoints.control import routes
from endpoints.control.autoscale import HELD, Cause, Verdict
from endpoints.models import OnlineDeployment, Operation, ScalingDecision
from endpoints.selectors import authorised_deployment
from endpoints.services import limits, pool, quota
from endpoints.services.deployments import locked_deployment, update_deployment
from endpoints.services.operations import Change, begin_roll_out
from endpoints.services.waking import wake_reconciler
from endpoints.spec.errors import Conflict, OutOfQuota
from endpoints.spec.scaling_document import ScalingDocument
from endpoints.spec.scaling_policy import stored_policy
from endpoints.telemetry.holds import count_cold_start
from studio.access import actions
from studio.access.models import User

# The same decision not to act within this time is one row that counts.
SAME_WITHIN = timedelta(minutes=30)


def set_scaling(actor: User, *, endpoint: str, name: str, policy: Mapping[str, object]) -> Operation | None:
    """Give the deployment this policy, or another one; None where it has it already."""
    wanted = ScalingDocument.read(policy)
    return update_deployment(actor, endpoint=endpoint, name=name, document={"scaling": wanted.to_json()})


def change_scaling(actor: User, *, endpoint: str, name: str, changes: Mapping[str, object]) -> Operation | None:
    """Replace keys of the policy; None returns one to its default."""
    known = require_policy(authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE))
    values = {key: value for key, value in {**known.scaling, **changes}.items() if value is not None}
    return set_scaling(actor, endpoint=endpoint, name=name, policy=values)


def remove_scaling(actor: User, *, endpoint: str, name: str) -> Operation | None:
    """From now on the count is what a person sets; a sleeper wakes."""
    require_policy(authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE))
    return update_deployment(actor, endpoint=endpoint, name=name, document={"scaling": None})


def require_policy(deployment: OnlineDeployment) -> OnlineDeployment:
    """The deployment, if it has a policy."""
    if not deployment.scaling:
        raise Conflict(f"The deployment {deployment.name!r} has no scaling policy.")
    return deployment


# Decisions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wish:
    """How many instances somebody wants, and why."""

    actor: User
    wanted: int
    cause: Cause
    reason: str


def apply_verdict(actor: User, *, endpoint: str, name: str, count: int, verdict: Verdict) -> Operation | None:
    """Carry out what was decided for a deployment of `count` instances, as far as quota allows, and put it down.

    Nothing happens where the deployment is not as it was any more: the next look decides anew.
    """
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        deployment = locked_deployment(known)
        if deployment.instance_count != count or deployment.observed_generation < deployment.generation:
            return None
        if deployment.schedule_entered != verdict.entered:
            deployment.schedule_entered = verdict.entered
            deployment.save(update_fields=["schedule_entered"])
        if verdict.cause in HELD:
            wish = _Wish(actor, verdict.would, verdict.cause, verdict.reason)
            _note(deployment, wish, before=count, given=count)
            return None
        if verdict.wanted == count:
            return None
        return _scale(deployment, _Wish(actor, verdict.wanted, verdict.cause, verdict.reason))


def wake_deployment(actor: User, *, endpoint: str, name: str, reason: str = "Woken by hand.") -> Operation | None:
    """Start a sleeper's first instances; None where it is not asleep. OutOfQuota where none of them fits."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        deployment = locked_deployment(known)
        if not deployment.is_asleep:
            return None
        policy = stored_policy(deployment.scaling)
        bounds = policy.active(timezone.now())[0] if policy else None
        wanted = bounds.clamp(max(1, bounds.default)) if bounds else 1
        operation = _scale(deployment, _Wish(actor, wanted, Cause.WAKE, reason))
        trouble = "" if operation else _no_room(deployment)
        _show_trouble(deployment, trouble)
        if operation:
            count_cold_start(deployment.endpoint.name, deployment.name, now=timezone.now())
    if operation is None:
        raise OutOfQuota(trouble)
    return operation


def put_to_sleep(actor: User, *, endpoint: str, name: str) -> Operation | None:
    """Let all instances go until the next request; Conflict where its policy does not let it sleep."""
    known = authorised_deployment(actor, endpoint, name, actions.DEPLOYMENTS_WRITE)
    policy = stored_policy(known.scaling)
    if policy is None or not policy.may_sleep:
        raise Conflict(f"The deployment {known.name!r} may not sleep: no scaling policy with a minimum of 0 is on.")
    with transaction.atomic():
        deployment = locked_deployment(known)
        if not deployment.instance_count:
            return None
        return _scale(deployment, _Wish(actor, 0, Cause.BY_HAND, "Put to sleep by hand."))


def _no_room(deployment: OnlineDeployment) -> str:
    return (
        f"There is no quota left for an instance of {deployment.instance_type}: {deployment.name!r} cannot be woken. "
        "Free cores, or ask an admin to raise the limit."
    )


def _show_trouble(deployment: OnlineDeployment, trouble: str) -> None:
    """Let callers read why they wait in vain."""
    if deployment.wake_trouble != trouble:
        deployment.wake_trouble = trouble
        deployment.save(update_fields=["wake_trouble"])
        routes.publish([deployment.endpoint.name])


def _scale(deployment: OnlineDeployment, wish: _Wish) -> Operation | None:
    """Fulfil the wish as far as it goes; None where that is not at all."""
    before, given, found = deployment.instance_count, wish.wanted, "no more cores than before"
    if wish.wanted > before:
        most = min(wish.wanted, limits.most_instances())
        given, found = _room(wish.actor, deployment, most)
    else:
        pool.shrink(deployment, quota.find_size(deployment.instance_type), max(wish.wanted, 1))
    if given == before:
        _note(deployment, _short(wish, given), before=before, given=before)
        return None
    operation = _change_count(deployment, wish, given=given, found=found)
    _note(deployment, _short(wish, given), before=before, given=given, operation=operation)
    return operation


def _room(actor: User, deployment: OnlineDeployment, wanted: int) -> tuple[int, str]:
    """How many instances it may have of those wanted, at least as many as it has, and what was found.

    One that stands on a loan of the shared pool gets all or none: a loan is not cut to measure.
    """
    size, before = quota.find_size(deployment.instance_type), deployment.instance_count
    names = {"endpoint": deployment.endpoint.name, "deployment": deployment.name}
    if pool.open_loan(deployment) is None:
        fits, found = quota.fitting(size, wanted, **names)
        return max(fits, before), found
    try:
        taken = pool.take(size, wanted, **names, may_borrow=True)
    except OutOfQuota as refusal:
        return before, refusal.message
    pool.stand_on(actor, deployment, taken)
    return wanted, taken.detail


def _short(wish: _Wish, given: int) -> _Wish:
    """The wish, saying so where quota did not allow all of it."""
    if given >= wish.wanted or not wish.wanted:
        return wish
    reason = f"{wish.reason} Wanted {wish.wanted}, quota allowed {given}."
    return _Wish(wish.actor, wish.wanted, Cause.QUOTA if wish.cause is not Cause.WAKE else wish.cause, reason)


def _change_count(deployment: OnlineDeployment, wish: _Wish, *, given: int, found: str) -> Operation:
    before = deployment.instance_count
    deployment.instance_count = given
    deployment.generation += 1
    deployment.save(update_fields=["instance_count", "generation", "updated_at"])
    what = "Fall asleep" if not given else "Wake up" if not before else f"Scale from {before} to {given}"
    operation = begin_roll_out(
        wish.actor,
        deployment,
        kind="ScaleDeployment",
        summary=f"{what}: {wish.reason}",
        quota=found,
        change=Change({"instance_count": before}, {"instance_count": given}),
    )
    wake_reconciler(deployment)
    return operation


def _note(
    deployment: OnlineDeployment, wish: _Wish, *, before: int, given: int, operation: Operation | None = None
) -> None:
    """One row a decision; the same one not to act, come again, is counted on its row."""
    now = timezone.now()
    if operation is None:
        last = deployment.scaling_decisions.order_by("-at", "-pk").first()
        same = (wish.cause, before, wish.wanted, given)
        if last and (last.cause, last.before, last.wanted, last.given) == same and now - last.last_at < SAME_WITHIN:
            last.times, last.last_at, last.reason = last.times + 1, now, wish.reason
            last.save(update_fields=["times", "last_at", "reason"])
            return
    ScalingDecision.objects.create(
        deployment=deployment,
        at=now,
        last_at=now,
        cause=wish.cause,
        before=before,
        wanted=wish.wanted,
        given=given,
        reason=wish.reason,
        made_by=wish.actor,
        operation=operation,
    )
