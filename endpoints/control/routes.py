"""The route table, derived from the records and published whole.

Each endpoint's part is kept as JSON text (`RouteFragment`), so one change costs one endpoint's queries and a join of
texts, however many endpoints there are. The version lives in the database under a row lock: it only grows, whoever
publishes. Delivery is a file first and Redis second; a Redis that is away is made good by `repair`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

import msgspec
from django.conf import settings
from django.db import transaction

from endpoints.control.route_delivery import Delivery
from endpoints.control.route_fragments import connection_limits, endpoint_routes
from endpoints.models import OF_ALL, RouteFragment, RouteVersion
from endpoints.spec.home import Home

logger = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder(order="deterministic")
_deliveries: dict[tuple[str, str], Delivery] = {}


def publish(endpoints: Collection[str] | None = None) -> int:
    """Bring the published table up to date with the records; returns its version.

    endpoints: names whose routes may have changed; None for all of them. Nothing is sent where nothing changed.
    Inside a transaction the records of that transaction count, and gateways hear of them when it commits.
    """
    with transaction.atomic():
        version, changed = _record(endpoints)
        if changed:
            transaction.on_commit(deliver)
    return version


def deliver() -> int:
    """Send the newest recorded table to file and Redis; returns the version sent."""
    return _delivery().send()


def repair() -> None:
    """Send again what file or Redis lost. Cheap where nothing is missing; the sweep calls it."""
    _delivery().repair()


def _delivery() -> Delivery:
    place = (str(settings.SLIPWAY_HOME), str(settings.SLIPWAY_REDIS_URL))
    if place not in _deliveries:
        home = Home(settings.SLIPWAY_HOME)
        _deliveries[place] = Delivery(home.routes_file, settings.SLIPWAY_REDIS_URL, settings.SLIPWAY_GATEWAY_DOMAIN)
    return _deliveries[place]


def _record(names: Collection[str] | None) -> tuple[int, bool]:
    """Write the fragments that differ from the records, under the next version. Returns (version, whether any did)."""
    row, _ = RouteVersion.objects.select_for_update().get_or_create(pk=1)
    fresh = {route.name: _encoder.encode(route).decode() for route in endpoint_routes(names)}
    if names is None:
        fresh[OF_ALL] = _encoder.encode(connection_limits()).decode()
    fragments = RouteFragment.objects.all() if names is None else RouteFragment.objects.filter(endpoint_name__in=names)
    known = dict(fragments.values_list("endpoint_name", "body"))
    gone = {name: "" for name in known if name not in fresh}
    changed = {name: body for name, body in (fresh | gone).items() if known.get(name, "") != body}
    if changed:
        row.version += 1
        row.save(update_fields=["version"])
        _write(changed.items(), row.version)
    return row.version, bool(changed)


def _write(bodies: Iterable[tuple[str, str]], version: int) -> None:
    RouteFragment.objects.bulk_create(
        [RouteFragment(endpoint_name=name, body=body, version=version) for name, body in bodies],
        batch_size=300,
        update_conflicts=True,
        unique_fields=["endpoint_name"],
        update_fields=["body", "version"],
    )
