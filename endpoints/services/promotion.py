"""A shadow goes live: mirroring ends and it gets its share, in one change of the endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from endpoints.models import OnlineEndpoint, Operation
from endpoints.selectors import authorised_endpoint
from endpoints.services.endpoints import set_traffic
from endpoints.spec.errors import Conflict, FieldError, Invalid
from endpoints.spec.shares import with_share
from endpoints.spec.traffic import shadow_of
from studio.access import actions
from studio.access.models import User


@dataclass(frozen=True, slots=True)
class Promotion:
    """What promoting comes to. generation: of the endpoint this was worked out for."""

    shadow: str
    traffic: Mapping[str, int]
    ready_instances: int
    generation: int


def promotion_of(endpoint: OnlineEndpoint, *, percent: int = 100) -> Promotion:
    """What would be set if the shadow of an authorised endpoint were promoted. Raises Conflict, Invalid."""
    shadow = shadow_of(endpoint.mirror_traffic)
    if not shadow:
        raise Conflict(f"Nothing is mirrored at {endpoint.name!r}, so there is no shadow to promote.")
    if not 1 <= percent <= 100:
        message = f"A share is 1 to 100 percent, not {percent}."
        raise Invalid(f"percent: {message}", details=[FieldError("percent", message)])
    live = {name: share for name, share in endpoint.traffic.items() if share}
    ready = endpoint.deployments.filter(name=shadow).values_list("ready_instances", flat=True).first() or 0
    return Promotion(shadow, with_share(live, shadow, percent), ready, endpoint.generation)


def promote_shadow(actor: User, *, name: str, percent: int = 100, generation: int | None = None) -> Operation | None:
    """Give the shadow `percent` of the live traffic, taken from the others in proportion, and mirror no more.

    generation: of the endpoint that was looked at before deciding; where it has changed since, a Conflict.
    """
    name = authorised_endpoint(actor, name, actions.ENDPOINTS_WRITE).name
    with transaction.atomic():
        endpoint = OnlineEndpoint.objects.select_for_update().get(name=name)
        if generation is not None and generation != endpoint.generation:
            raise Conflict(f"{name} has been changed since you looked; look at its split again, then decide.")
        planned = promotion_of(endpoint, percent=percent)
        if not planned.ready_instances:
            raise Conflict(f"{planned.shadow} has no ready instance; as a live deployment it would refuse its share.")
        return set_traffic(actor, name=name, traffic=planned.traffic, mirror_traffic={})
