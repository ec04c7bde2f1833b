"""Scaling policies, what was decided by them, and how a sleeper is, for those who may read the deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum
from django.utils import timezone

from endpoints.models import HoldRollup, OnlineDeployment, ScalingDecision
from endpoints.selectors.online import get_deployment
from endpoints.spec.histogram import quantiles_ms
from endpoints.spec.scaling_document import ScalingDocument
from endpoints.spec.scaling_policy import policy_of
from endpoints.spec.states import ProvisioningState
from endpoints.telemetry.packing import merged
from endpoints.telemetry.readings import slots
from endpoints.telemetry.windows import Window
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of, require

_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class ScalingView:
    """A deployment as its scaling policy has it. policy: None without one. minimum, maximum: the bounds that hold now.

    state: awake, asleep, waking or falling asleep.
    """

    deployment: OnlineDeployment
    policy: ScalingDocument | None
    minimum: int
    maximum: int
    schedule: str
    state: str

    @property
    def is_on(self) -> bool:
        return self.policy is not None and self.policy.enabled


def scaling_of(user: User, endpoint: str, name: str, *, now: datetime | None = None) -> ScalingView:
    """How the deployment is scaled now."""
    return view_of(get_deployment(user, endpoint, name), now=now)


def view_of(row: OnlineDeployment, *, now: datetime | None = None) -> ScalingView:
    """The same of a deployment that a selector gave."""
    document = ScalingDocument.read(row.scaling) if row.scaling else None
    minimum = maximum = row.instance_count
    schedule = ""
    if document and document.enabled:
        bounds, found = policy_of(document).active(now or timezone.now())
        minimum, maximum, schedule = bounds.minimum, bounds.maximum, found.name if found else ""
    return ScalingView(row, document, minimum, maximum, schedule, _state(row))


def _state(row: OnlineDeployment) -> str:
    is_scaling = row.provisioning_state == ProvisioningState.SCALING
    if row.is_asleep:
        return "falling asleep" if is_scaling or row.ready_instances else "asleep"
    return "waking" if row.scaling and is_scaling and not row.ready_instances else "awake"


def policies_for(user: User, *, name: str = "") -> list[ScalingView]:
    """Every deployment that has a scaling policy and that `user` may read; those of one policy's name where given."""
    names = grants_of(user).endpoints(actions.DEPLOYMENTS_READ)
    if names is not None and not names:
        require(user, actions.DEPLOYMENTS_READ)
    rows = OnlineDeployment.objects.exclude(scaling={}).select_related("endpoint")
    rows = rows if names is None else rows.filter(endpoint__name__in=names)
    found = [view_of(row) for row in rows.order_by("endpoint__name", "colour", "pk")]
    return [view for view in found if not name or policy_name(view).lower() == name.lower()]


def policy_name(view: ScalingView) -> str:
    """The policy's own name, or the one it goes by: `<endpoint>-<deployment>`."""
    own = view.policy.name if view.policy else None
    return own or f"{view.deployment.endpoint.name}-{view.deployment.name}"


def decisions_of(user: User, deployment: OnlineDeployment) -> QuerySet[ScalingDecision]:
    """What was decided about the deployment, newest first."""
    row = get_deployment(user, deployment.endpoint.name, deployment.name)
    return row.scaling_decisions.select_related("made_by", "operation").order_by("-at", "-pk")


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Of the last day: wakings, requests that were held and answered, that waited in vain, how long they waited."""

    wakings: int = 0
    held: int = 0
    in_vain: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None


def cold_starts(user: User, deployment: OnlineDeployment, *, now: datetime | None = None) -> ColdStarts:
    """The last day of a deployment that may sleep. Two queries."""
    row = get_deployment(user, deployment.endpoint.name, deployment.name)
    moment = now or timezone.now()
    now_s = int(moment.timestamp())
    start_s = int((moment - timedelta(days=1)).timestamp()) // 60 * 60
    window = Window(start_s, now_s + 10, 60, _DAY_S, now_s, int(row.endpoint.created_at.timestamp()) // 60 * 60)
    rows = HoldRollup.objects.filter(slots(window), endpoint=row.endpoint.name, deployment=row.name)
    sums = rows.aggregate(woken=Sum("cold_starts"), held=Sum("held"), vain=Sum("given_up"))
    histogram = merged(bytes(packed) for packed in rows.values_list("hold", flat=True))
    p50_ms, p99_ms = quantiles_ms(histogram.buckets, (0.5, 0.99))
    return ColdStarts(sums["woken"] or 0, sums["held"] or 0, sums["vain"] or 0, p50_ms, p99_ms)
