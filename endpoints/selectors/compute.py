"""Instance types, quota and how much of it is taken. What a deployment takes is computed, never stored."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet

from endpoints.models import FamilyQuota, InstanceType, OnlineDeployment, OnlineEndpoint, QuotaChange, QuotaRequest
from endpoints.selectors.loans import lent_cores, open_loans
from endpoints.selectors.studio_settings import has_reservation, settings_in_force
from endpoints.spec.errors import NotFound
from endpoints.spec.instance_types import InstanceSize
from endpoints.spec.quota import most_instances, needed_cores, reserved_instances
from endpoints.spec.studio_settings import SETTINGS, Group
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
    """One family. `deployments` are those the reader may know of; the sums are over all.

    pool_cores, lent_cores: of its shared pool, which is beside the limit.
    """

    family: str
    limit_cores: int
    used_cores: int
    reserved_cores: int
    deployments: tuple[DeploymentUsage, ...] = ()
    pool_cores: int = 0
    lent_cores: int = 0

    @property
    def free_cores(self) -> int:
        return max(self.limit_cores - self.used_cores - self.reserved_cores, 0)

    @property
    def pool_free_cores(self) -> int:
        return max(self.pool_cores - self.lent_cores, 0)


def size_of(row: InstanceType, *, is_reserving: bool) -> InstanceSize:
    """The row as a value. is_reserving: a studio may do without the reservation altogether."""
    return InstanceSize(
        name=row.name,
        family=row.family,
        cores=row.cores,
        memory_gib=row.memory_gib,
        gpus=row.gpus,
        gpu_model=row.gpu_model,
        is_exempt=row.is_exempt or not is_reserving,
    )


def instance_types(user: User) -> QuerySet[InstanceType]:
    """All instance types by family and size, for whoever may read quota or deployments."""
    grants = grants_of(user)
    if grants.endpoints(actions.DEPLOYMENTS_READ) == frozenset():
        require(user, actions.QUOTA_READ)
    return InstanceType.objects.order_by("family", "cores", "name")


def quota_usage(user: User) -> list[FamilyUsage]:
    """Every family with its limit, what is taken, and its shared pool. Five queries."""
    require(user, actions.QUOTA_READ)
    readable = grants_of(user).endpoints(actions.DEPLOYMENTS_READ)
    by_family: dict[str, list[DeploymentUsage]] = {}
    for family, usage in usages():
        by_family.setdefault(family, []).append(usage)
    lent = lent_cores()
    return [
        FamilyUsage(
            family=quota.family,
            limit_cores=quota.limit_cores,
            used_cores=sum(usage.cores for usage in by_family.get(quota.family, ())),
            reserved_cores=sum(usage.reserved_cores for usage in by_family.get(quota.family, ())),
            deployments=tuple(
                usage for usage in by_family.get(quota.family, ()) if readable is None or usage.endpoint in readable
            ),
            pool_cores=quota.pool_cores,
            lent_cores=lent.get(quota.family, 0),
        )
        for quota in FamilyQuota.objects.order_by("family")
    ]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What so many instances of a type would take, and whether that is free now."""

    size: InstanceSize
    instance_count: int
    counted_instances: int
    needed_cores: int
    limit_cores: int
    free_cores: int
    most_instances: int

    @property
    def fits(self) -> bool:
        return self.needed_cores <= self.free_cores


def what_if(user: User, *, instance_type: str, instance_count: int) -> WhatIf:
    """The arithmetic of one more deployment. NotFound where there is no such type."""
    row = instance_types(user).filter(name__iexact=instance_type).first()
    if row is None:
        raise NotFound(f"There is no instance type {instance_type!r}.")
    size = size_of(row, is_reserving=has_reservation())
    usage = next(usage for usage in quota_usage(user) if usage.family == size.family)
    return WhatIf(
        size=size,
        instance_count=instance_count,
        counted_instances=reserved_instances(instance_count, is_exempt=size.is_exempt),
        needed_cores=needed_cores(instance_count, cores=size.cores, is_exempt=size.is_exempt),
        limit_cores=usage.limit_cores,
        free_cores=usage.free_cores,
        most_instances=most_instances(usage.free_cores, cores=size.cores, is_exempt=size.is_exempt),
    )


def quota_requests(user: User) -> QuerySet[QuotaRequest]:
    """Open ones first: all for whoever decides about them, else one's own."""
    require(user, actions.QUOTA_READ)
    rows = QuotaRequest.objects.select_related("asked_by", "decided_by")
    if not grants_of(user).allows(actions.QUOTA_WRITE):
        rows = rows.filter(asked_by=user)
    return rows.annotate(is_decided=Q(decided_at__isnull=False)).order_by("is_decided", "-asked_at", "-pk")


def get_quota_request(user: User, request_id: int) -> QuotaRequest:
    """One of them."""
    row = quota_requests(user).filter(pk=request_id).first()
    if row is None:
        raise NotFound(f"There is no request {request_id} for quota.")
    return row


def quota_history(user: User) -> QuerySet[QuotaChange]:
    """Every change of a limit, newest first."""
    require(user, actions.QUOTA_READ)
    return QuotaChange.objects.select_related("changed_by").order_by("-changed_at", "-pk")


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """One limit of the workspace. used: None where it bounds single things, of which there is no sum."""

    name: str
    used: int | None
    limit: int


def limits_usage(user: User) -> list[LimitUsage]:
    """The limits of contract B1 beside what is there; of limits per thing, the fullest one."""
    require(user, actions.QUOTA_READ)
    values = settings_in_force()
    by_endpoint = OnlineEndpoint.objects.annotate(count=Count("deployments"))
    used: dict[str, int | None] = {
        "endpoints": OnlineEndpoint.objects.count(),
        "deployments": OnlineDeployment.objects.count(),
        "deployments_per_endpoint": by_endpoint.aggregate(most=Max("count"))["most"] or 0,
        "instances_per_deployment": OnlineDeployment.objects.aggregate(most=Max("instance_count"))["most"] or 0,
    }
    names = [name for name, one in SETTINGS.items() if one.group is Group.LIMITS]
    return [LimitUsage(name, used.get(name), values[name]) for name in names]


def usages() -> list[tuple[str, DeploymentUsage]]:
    """What every deployment takes of its family's limit. Those being deleted count until they are gone.

    Not those that stand on a loan of the shared pool, nor those that are stopped. One that sleeps keeps the cores of
    one instance, so that it can wake, unless its policy releases them.
    """
    is_reserving = has_reservation()
    sizes = {row.name.lower(): size_of(row, is_reserving=is_reserving) for row in InstanceType.objects.all()}
    own = OnlineDeployment.objects.filter(stopped_at=None).exclude(pk__in=open_loans().values("deployment"))
    rows = own.order_by("endpoint__name", "colour", "pk")
    found = []
    for endpoint, name, type_name, wanted, scaling in rows.values_list(
        "endpoint__name", "name", "instance_type", "instance_count", "scaling"
    ):
        is_released = scaling.get("quota_while_asleep") == "released"
        count = wanted if wanted or is_released else 1
        size = sizes.get(type_name.lower())
        if size is None:
            continue
        cores = count * size.cores
        reserved = needed_cores(count, cores=size.cores, is_exempt=size.is_exempt) - cores
        found.append((size.family, DeploymentUsage(endpoint, name, type_name, count, cores, reserved)))
    return found
