"""Wakings, counted where they happen; the requests that waited are counted by the gateway."""

from __future__ import annotations

from datetime import datetime

from endpoints.models import HoldRollup
from endpoints.spec.histogram import Histogram
from endpoints.telemetry.cells import Cell, Cells, add, slot_of
from endpoints.telemetry.rollups import FINEST_S, add_finest, locked


def count_cold_start(endpoint: str, deployment: str, *, now: datetime) -> None:
    """A deployment that slept is being woken."""
    cells = Cells()
    add(cells, (slot_of(now.timestamp(), FINEST_S), endpoint, deployment), Cell([1, 0, 0], [], [Histogram()]))
    with locked():
        add_finest({HoldRollup: cells})
