"""Two deployments that answer, and requests to them as the gateways count them. Time is what the test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from endpoints import services
from endpoints.control.canary import Decision
from endpoints.models import OnlineDeployment, OnlineEndpoint, Rollout
from endpoints.services.rollout_turns import take_turn
from endpoints.telemetry import intake
from studio.access.models import User
from tests.services import world
from tests.telemetry.world import batch, encoded, series

START = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
numbers = count(1)

DOCUMENT: dict[str, object] = {
    "endpoint_name": "risk",
    "from": "blue",
    "to": "green",
    "stages": [{"percent": 10, "seconds": 30}, {"percent": 100, "requests": 40}],
    "gates": [{"metric": "error_rate", "max": 5}, {"metric": "p99", "max_ratio": 2}],
    "window_seconds": 20,
    "min_requests": 10,
    "timeout_seconds": 120,
}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def two_deployments(actor: User) -> OnlineEndpoint:
    """blue with all traffic, green with none, both ready."""
    world.endpoint(actor)
    for name in ("blue", "green"):
        world.deploy(actor, name=name)
    OnlineDeployment.objects.update(observed_generation=1, observed_revision=1, ready_instances=1)
    services.set_traffic(actor, name="risk", traffic={"blue": 100, "green": 0})
    OnlineEndpoint.objects.update(created_at=START - timedelta(days=1))
    return OnlineEndpoint.objects.get(name="risk")


def start(actor: User, **changes: object) -> Rollout:
    return services.start_rollout(actor, document={**DOCUMENT, **changes}, now=START)


def count_requests(deployment: str, seconds: float, *milliseconds: float, **fields: object) -> None:
    """Requests that a gateway counted up to then, one for each duration."""
    found = series(deployment, *milliseconds, **fields)
    intake.take(encoded(batch(next(numbers), found, at=at(seconds))), now=at(seconds))


def both_answer(seconds: float, requests: int = 20, *, bad: int = 0, new_ms: float = 10.0) -> None:
    """As many requests to both, answered well but for `bad` of the new one's."""
    count_requests("blue", seconds, *[10.0] * requests)
    count_requests("green", seconds, *[new_ms] * (requests - bad))
    if bad:
        count_requests("green", seconds, *[new_ms] * bad, status=424, model_status=500)


def turn(rollout: Rollout, seconds: float) -> Decision:
    """One turn at that second; the row is read again afterwards."""
    decision = take_turn(Rollout.objects.select_related("endpoint", "created_by").get(pk=rollout.pk), now=at(seconds))
    rollout.refresh_from_db()
    return decision


def traffic() -> dict[str, int]:
    found = OnlineEndpoint.objects.get(name="risk").traffic
    return {name: share for name, share in found.items() if share}
