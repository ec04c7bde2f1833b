"""What was measured, for whoever may read an endpoint's deployments. Nothing from before the endpoint was made is told:
it belongs to another one of the same name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.utils import timezone

from endpoints.models import InstanceType, OnlineDeployment, OnlineEndpoint, Operation
from endpoints.selectors.online import authorised_deployment, authorised_endpoint
from endpoints.telemetry import figures
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.windows import window_of
from studio.access import actions
from studio.access.models import User

MARKS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """A change to show on the time axis."""

    at: datetime
    text: str
    state: str


def readings(
    user: User, endpoint: str, *, range_key: str = "", deployment: str = "", now: datetime | None = None
) -> Readings:
    """What was measured at an endpoint or one of its deployments. Reads when it is asked for something."""
    if deployment:
        row = authorised_deployment(user, endpoint, deployment, actions.DEPLOYMENTS_READ)
        parent, name = row.endpoint, row.name
    else:
        parent, name = authorised_endpoint(user, endpoint, actions.DEPLOYMENTS_READ), ""
    return readings_of(parent, name, range_key=range_key, now=now)


def readings_of(
    endpoint: OnlineEndpoint, deployment: str = "", *, range_key: str = "", now: datetime | None = None
) -> Readings:
    """The same for an endpoint whose deployments a selector has let the caller read."""
    window = window_of(range_key, now=now or timezone.now(), since=endpoint.created_at)
    return Readings(endpoint.name, window, deployment)


def marks(found: Readings) -> list[Mark]:
    """Accepted changes within readings a selector gave, oldest first, at most the newest `MARKS_SHOWN`. One query."""
    start = datetime.fromtimestamp(max(found.window.start_s, found.window.since_s), UTC)
    rows = Operation.objects.filter(endpoint_name=found.endpoint, created_at__gte=start)
    columns = rows.order_by("-created_at").values_list("created_at", "summary", "kind", "deployment_name", "state")
    shown = [
        Mark(at, summary or kind, state)
        for at, summary, kind, deployment, state in columns[:MARKS_SHOWN]
        if not found.deployment or deployment in {"", found.deployment}
    ]
    return shown[::-1]


def colours(found: Readings) -> dict[str, int]:
    """The deployments of readings a selector gave, each with its place in the order of creation. One query."""
    rows = OnlineDeployment.objects.filter(endpoint__name=found.endpoint)
    return dict(rows.values_list("name", "colour"))


def recent_figures(endpoint: OnlineEndpoint, deployment: OnlineDeployment | None = None) -> figures.Recent:
    """The last five minutes of an endpoint or deployment that a selector has let the caller read. Two queries."""
    name = deployment.name if deployment else ""
    return figures.recent(endpoint.name, now=timezone.now(), deployment=name, since=endpoint.created_at)


def cost_per_hour(deployments: Collection[OnlineDeployment]) -> Decimal | None:
    """What deployments a selector gave cost together; None where none of their types has a price. One query."""
    priced = InstanceType.objects.filter(price_per_hour__isnull=False).values_list("name", "price_per_hour")
    prices = {name.lower(): price for name, price in priced if price is not None}
    costs = [
        one.instance_count * prices[one.instance_type.lower()]
        for one in deployments
        if one.instance_type.lower() in prices
    ]
    return sum(costs, Decimal()) if costs else None


def sparks(endpoints: Collection[OnlineEndpoint]) -> dict[str, list[int]]:
    """Requests by minute of the last hour for endpoints a selector gave. One query."""
    return figures.sparks([one.name for one in endpoints], now=timezone.now())
