"""How many instances a roll may run beyond the count: what the quota's reservation is there for."""

from __future__ import annotations

from endpoints.models import FamilyQuota, InstanceType, OnlineDeployment
from endpoints.selectors.compute import size_of, usages
from endpoints.selectors.studio_settings import has_reservation


def surge_of(deployment: OnlineDeployment) -> int:
    """A fifth of the count where the type reserves it, or as far as the family of an exempt type has cores to spare."""
    batch = -(-deployment.instance_count // 5)
    row = InstanceType.objects.filter(name__iexact=deployment.instance_type).first()
    if row is None or not size_of(row, is_reserving=has_reservation()).is_exempt:
        return batch
    quota = FamilyQuota.objects.filter(family=row.family).first()
    if quota is None:
        return batch
    taken = sum(usage.cores + usage.reserved_cores for family, usage in usages() if family == row.family)
    return max(0, min(batch, (quota.limit_cores - taken) // max(1, row.cores)))
