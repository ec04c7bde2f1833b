"""How many instances a roll may run beyond the count: what the quota's reservation is there for."""

from __future__ import annotations

from django.conf import settings

from endpoints.backends import registry
from endpoints.models import FamilyQuota, InstanceType, OnlineDeployment
from endpoints.selectors.compute import size_of, usages
from endpoints.selectors.studio_settings import has_reservation
from endpoints.spec.home import Home


def surge_of(deployment: OnlineDeployment) -> int:
    """A fifth of the count where the type reserves it, or as far as the family of an exempt type has cores to spare.

    Never more than the host has GPUs for: with none to spare, an old instance has to make room for a new one.
    """
    batch = -(-deployment.instance_count // 5)
    row = InstanceType.objects.filter(name__iexact=deployment.instance_type).first()
    if row and (room := registry.gpu_room(deployment.backend, Home(settings.SLIPWAY_HOME), row.gpus)) is not None:
        batch = min(batch, room)
    if row is None or not size_of(row, is_reserving=has_reservation()).is_exempt:
        return batch
    quota = FamilyQuota.objects.filter(family=row.family).first()
    if quota is None:
        return batch
    taken = sum(usage.cores + usage.reserved_cores for family, usage in usages() if family == row.family)
    return max(0, min(batch, (quota.limit_cores - taken) // max(1, row.cores)))
