"""What comparing a shadow found. Rates and fields are for whoever may read the endpoint's deployments; the answers
themselves, which are what callers were told, take an action of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils import timezone

from endpoints.models import Comparison, ComparisonExample, OnlineEndpoint
from endpoints.selectors.online import authorised_endpoint
from endpoints.spec.comparison import ComparisonSettings, settings_from
from endpoints.spec.errors import NotFound
from endpoints.spec.traffic import shadow_of
from endpoints.telemetry.comparisons import FieldFound, Summary, differing_fields, summary, worst_examples
from endpoints.telemetry.readings import Readings
from endpoints.telemetry.windows import window_of
from studio.access import actions
from studio.access.models import User

MOST_FIELDS = 20

State = Literal["off", "mirroring", "waiting", "on"]


@dataclass(frozen=True, slots=True)
class Compared:
    """An endpoint's comparison.

    state: off, mirroring (without comparing), waiting (for something to be mirrored) or on. shadow: that is mirrored to
    now, percent of the live requests; "" and 0 for none. settings: in force, or None. last: what is or was compared.
    """

    endpoint: OnlineEndpoint
    state: State
    shadow: str
    percent: int
    settings: ComparisonSettings | None
    last: Comparison | None
    summary: Summary | None
    fields: tuple[FieldFound, ...] = ()


def comparison_of(user: User, name: str, *, now: datetime | None = None) -> Compared:
    """The endpoint's comparison with everything that was counted since it began."""
    endpoint = authorised_endpoint(user, name, actions.DEPLOYMENTS_READ)
    last = _last(endpoint)
    shadow = shadow_of(endpoint.mirror_traffic)
    return Compared(
        endpoint=endpoint,
        state=_state(endpoint, shadow),
        shadow=shadow,
        percent=endpoint.mirror_traffic.get(shadow, 0),
        settings=None if endpoint.comparison is None else settings_from(endpoint.comparison),
        last=last,
        summary=summary(last, now=now or timezone.now()) if last else None,
        fields=tuple(differing_fields(last, most=MOST_FIELDS)) if last else (),
    )


def _state(endpoint: OnlineEndpoint, shadow: str) -> State:
    if endpoint.comparison is None:
        return "mirroring" if shadow else "off"
    return "on" if shadow else "waiting"


def _last(endpoint: OnlineEndpoint) -> Comparison | None:
    row = Comparison.objects.filter(endpoint=endpoint).first()
    if row is not None:
        row.endpoint = endpoint
    return row


def compared_readings(user: User, name: str, *, range_key: str = "", now: datetime | None = None) -> Readings:
    """What was compared, by the steps of a range; nothing from before the comparison began."""
    endpoint = authorised_endpoint(user, name, actions.DEPLOYMENTS_READ)
    last = _last(endpoint)
    since = last.started_at if last else endpoint.created_at
    return Readings(endpoint.name, window_of(range_key, now=now or timezone.now(), since=since))


def comparison_examples(user: User, name: str, *, kind: str = "") -> list[ComparisonExample]:
    """The worst pairs, without their bodies."""
    last = _last(authorised_endpoint(user, name, actions.LIST_COMPARED_ANSWERS))
    return worst_examples(last, kind=kind) if last else []


def comparison_example(user: User, name: str, example_id: int) -> ComparisonExample:
    """One of them, whole."""
    endpoint = authorised_endpoint(user, name, actions.LIST_COMPARED_ANSWERS)
    rows = ComparisonExample.objects.select_related("comparison")
    row = rows.filter(comparison__endpoint=endpoint, pk=example_id).first()
    if row is None:
        raise NotFound("This pair is not kept any more: worse ones, or a new beginning, took its place.")
    return row
