"""Takes quota for a deployment: counted under the family's lock, so that requests at once never overshoot."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from endpoints.models import FamilyQuota, InstanceType, QuotaChange
from endpoints.selectors.compute import size_of, usages
from endpoints.selectors.studio_settings import has_reservation
from endpoints.spec.errors import FieldError, Invalid, OutOfQuota
from endpoints.spec.instance_types import BUILTIN, InstanceSize
from endpoints.spec.quota import most_instances, require_quota
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

MOST_CORES = 1_000_000


def ensure_instance_types(**_: object) -> None:
    """Make the built-in types' rows what `endpoints.spec.instance_types` says, and give new families a limit.

    Prices, added types and limits somebody set are left alone. Idempotent; runs after every migration.
    """
    for size in BUILTIN:
        values = {
            "family": size.family,
            "cores": size.cores,
            "memory_gib": size.memory_gib,
            "gpus": size.gpus,
            "gpu_model": size.gpu_model,
            "is_exempt": size.is_exempt,
            "is_builtin": True,
        }
        InstanceType.objects.get_or_create(name=size.name, defaults=values)
    known = set(FamilyQuota.objects.values_list("family", flat=True))
    families = set(InstanceType.objects.values_list("family", flat=True)) - known
    FamilyQuota.objects.bulk_create(
        [FamilyQuota(family=family, limit_cores=settings.SLIPWAY_FAMILY_CORES) for family in sorted(families)]
    )


def find_size(name: str) -> InstanceSize:
    """The instance type of that name, whatever its case. Invalid names the nearest one there is."""
    row = InstanceType.objects.filter(name__iexact=name.strip()).first()
    if row:
        return size_of(row, is_reserving=has_reservation())
    names = {known.lower(): known for known in InstanceType.objects.values_list("name", flat=True)}
    near = difflib.get_close_matches(name.strip().lower(), names, n=1)
    hint = f"Did you mean {names[near[0]]}?" if near else "The studio's instance types are listed with its quota."
    message = f"There is no instance type {name!r}. {hint}"
    raise Invalid(message, details=[FieldError("instance_type", message)])


def take(size: InstanceSize, instance_count: int, *, endpoint: str, deployment: str) -> str:
    """Check that the deployment fits beside all others; returns what was found, for the operation's step.

    Call it inside the transaction that writes the deployment's row: the family stays locked until it ends.
    """
    quota, _ = FamilyQuota.objects.get_or_create(
        family=size.family, defaults={"limit_cores": settings.SLIPWAY_FAMILY_CORES}
    )
    quota = FamilyQuota.objects.select_for_update().get(pk=quota.pk)
    used = _used_by_others(size, endpoint=endpoint, deployment=deployment)
    needed = require_quota(size, instance_count, limit_cores=quota.limit_cores, used_cores=used)
    return f"{needed} of {quota.limit_cores - used} free {size.family} cores"


def fitting(size: InstanceSize, wanted: int, *, endpoint: str, deployment: str) -> tuple[int, str]:
    """As many of `wanted` instances as fit beside all others, at least 0, and what was found. As `take`, in a
    transaction: the family stays locked until it ends."""
    try:
        return wanted, take(size, wanted, endpoint=endpoint, deployment=deployment)
    except OutOfQuota:
        free = FamilyQuota.objects.get(family=size.family).limit_cores
        free -= _used_by_others(size, endpoint=endpoint, deployment=deployment)
        fits = most_instances(free, cores=size.cores, is_exempt=size.is_exempt)
        return fits, f"{fits} of {wanted} instances fit into {max(free, 0)} free {size.family} cores"


def _used_by_others(size: InstanceSize, *, endpoint: str, deployment: str) -> int:
    return sum(
        usage.cores + usage.reserved_cores
        for family, usage in usages()
        if family == size.family and (usage.endpoint, usage.deployment) != (endpoint, deployment)
    )


def set_family_limit(
    actor: User, *, family: str, limit_cores: int | None = None, pool_cores: int | None = None, note: str = ""
) -> FamilyQuota:
    """Change how many cores a family may take, and how many its shared pool lends beside them; None leaves one.

    What runs goes on running, even above a lower limit.
    """
    require(actor, actions.QUOTA_WRITE)
    wanted = {"limit_cores": limit_cores, "pool_cores": pool_cores}
    for field, cores in wanted.items():
        if cores is not None and not 0 <= cores <= MOST_CORES:
            message = f"A limit is 0 to {MOST_CORES:,} cores, not {cores}."
            raise Invalid(message, details=[FieldError(field, message)])
    with transaction.atomic():
        quota = FamilyQuota.objects.select_for_update().filter(family=family).first()
        if quota is None:
            message = f"There is no family {family!r}."
            raise Invalid(message, details=[FieldError("family", message)])
        for field, cores in wanted.items():
            if cores is not None and cores != (before := getattr(quota, field)):
                setattr(quota, field, cores)
                quota.save(update_fields=[field])
                _note_change(actor, quota, field, before, note)
    return quota


def _note_change(actor: User, quota: FamilyQuota, field: str, before: int, note: str) -> None:
    after, is_pool = getattr(quota, field), field == "pool_cores"
    QuotaChange.objects.create(
        family=quota.family, is_pool=is_pool, cores_before=before, cores_after=after, note=note, changed_by=actor
    )
    audit.record(
        actor,
        actions.QUOTA_WRITE,
        target=f"family {quota.family}",
        summary=f"{'Shared pool' if is_pool else 'Limit'} of {quota.family}: {before} to {after} cores",
        before={field: before},
        after={field: after},
    )


def set_family_limits(
    actor: User, *, limits: Mapping[str, int], pools: Mapping[str, int] | None = None
) -> list[FamilyQuota]:
    """Several limits and pools at once, or none of them."""
    pools = pools or {}
    with transaction.atomic():
        return [
            set_family_limit(actor, family=family, limit_cores=limits.get(family), pool_cores=pools.get(family))
            for family in sorted({*limits, *pools})
        ]
