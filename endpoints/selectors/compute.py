"""Instance types, quota and how much of it is taken. What a deployment takes is computed, never stored."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet

from endpoints.models import FamilyQuota, InstanceType, OnlineDeployment
from endpoints.spec.instance_types import InstanceSize
from endpoints.spec.quota import needed_cores
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require


@dataclass(frozen=True, slots=True)
class DeploymentUsage:
    """What one deployment takes of its family: `cores` that run, `reserved_cores` kept free beside them."""

    endpoint: str
    deployment: str
    instance_type: str
    instance_count: int
    cores: int
    reserved_cores: int


@dataclass(frozen=True, slots=True)
class FamilyUsage:
    """One family. `deployments` are those the reader may know of; the sums are over all."""

    family: str
    limit_cores: int
    used_cores: int
    reserved_cores: int
    deployments: tuple[DeploymentUsage, ...] = ()

    @property
    def free_cores(self) -> int:
        return max(self.limit_cores - self.used_cores - self.reserved_cores, 0)


def size_of(row: InstanceType) -> InstanceSize:
    """The row as a value; a studio may do without the reservation altogether."""
    return InstanceSize(
        name=row.name,
        family=row.family,
        cores=row.cores,
        memory_gib=row.memory_gib,
        gpus=row.gpus,
        gpu_model=row.gpu_model,
        is_exempt=row.is_exempt or not settings.SLIPWAY_QUOTA_RESERVATION,
    )


def instance_types(user: User) -> QuerySet[InstanceType]:
    """All instance types by family and size, for whoever may read quota or deployments."""
    grants = grants_of(user)
    if grants.endpoints(actions.DEPLOYMENTS_READ) == frozenset():
        require(user, actions.QUOTA_READ)
    return InstanceType.objects.order_by("family", "cores", "name")


def quota_usage(user: User) -> list[FamilyUsage]:
    """Every family with its limit and what is taken. Three queries."""
    require(user, actions.QUOTA_READ)
    readable = grants_of(user).endpoints(actions.DEPLOYMENTS_READ)
    by_family: dict[str, list[DeploymentUsage]] = {}
    for family, usage in usages():
        by_family.setdefault(family, []).append(usage)
    return [
        FamilyUsage(
            family=quota.family,
            limit_cores=quota.limit_cores,
            used_cores=sum(usage.cores for usage in by_family.get(quota.family, ())),
            reserved_cores=sum(usage.reserved_cores for usage in by_family.get(quota.family, ())),
            deployments=tuple(
                usage for usage in by_family.get(quota.family, ()) if readable is None or usage.endpoint in readable
            ),
        )
        for quota in FamilyQuota.objects.order_by("family")
    ]


def usages() -> list[tuple[str, DeploymentUsage]]:
    """What every deployment takes, with its family. Those being deleted count until they are gone."""
    sizes = {row.name.lower(): size_of(row) for row in InstanceType.objects.all()}
    rows = OnlineDeployment.objects.order_by("endpoint__name", "colour", "pk")
    found = []
    for endpoint, name, type_name, count in rows.values_list(
        "endpoint__name", "name", "instance_type", "instance_count"
    ):
        size = sizes.get(type_name.lower())
        if size is None:
            continue
        cores = count * size.cores
        reserved = needed_cores(count, cores=size.cores, is_exempt=size.is_exempt) - cores
        found.append((size.family, DeploymentUsage(endpoint, name, type_name, count, cores, reserved)))
    return found
