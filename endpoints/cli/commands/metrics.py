"""`slipway monitor metrics …`: the verbs of `az monitor metrics`, onto what was measured at endpoints and below."""

from __future__ import annotations

from typing import Any

from endpoints.cli.client import Json
from endpoints.cli.failures import UsageError
from endpoints.cli.resources import Place, place_of
from endpoints.cli.session import open_session


def list_(
    metrics: list[str] | None = None,
    resource: str | None = None,
    endpoint_name: str | None = None,
    offset: str = "1h",
) -> Json:
    """Show metrics over time, each as one line for every value of its dimensions."""
    if not metrics:
        raise UsageError("Say which --metrics; their names: slipway monitor metrics list-definitions")
    return _asked(resource, endpoint_name, name=",".join(metrics), range=offset)


def list_definitions(resource: str | None = None, endpoint_name: str | None = None) -> Any:
    """List the metrics there are, with their units."""
    return _asked(resource, endpoint_name)["metrics"]


def _asked(resource: str | None, endpoint_name: str | None, **query: str) -> Json:
    endpoint, deployment = _measured(resource, endpoint_name)
    with open_session() as session:
        path = ("online-endpoints", endpoint, "metrics")
        found: Json = session.client.get(*path, **query, **({"deployment": deployment} if deployment else {}))
        return found


def _measured(resource: str | None, endpoint_name: str | None) -> Place:
    """The endpoint and, where one is meant, its deployment."""
    place = place_of(resource, endpoint_name)
    if not place.endpoint or "/" in place.deployment:
        raise UsageError("--resource names what was measured: a resource id, <endpoint>, or <endpoint>/<deployment>.")
    return place
