"""Endpoints have an end of their own: known to the gateways, or gone with all their deployments."""

from __future__ import annotations

import pytest

from endpoints.control.endpoints import finish
from endpoints.models import OnlineEndpoint, Operation, RouteFragment
from tests.control.conftest import Studio


@pytest.fixture
def shed(studio: Studio) -> OnlineEndpoint:
    Operation.objects.create(kind="CreateEndpoint", endpoint_name="shed", generation=1)
    return OnlineEndpoint.objects.create(name="shed")


def test_a_new_endpoint_is_published_and_its_operation_ends(studio: Studio, shed):
    finish(shed, clock=studio.clock)
    shed.refresh_from_db()
    assert (shed.provisioning_state, Operation.objects.get().state) == ("Succeeded", "Succeeded")
    assert RouteFragment.objects.get().endpoint_name == "shed"


def test_a_deleted_endpoint_waits_for_its_deployments(studio: Studio, shed):
    blue = studio.reconcile(studio.deployment(endpoint="shed"))
    OnlineEndpoint.objects.update(deletion_requested_at=studio.clock.now())
    studio.delete(blue)
    finish(shed, clock=studio.clock)
    assert OnlineEndpoint.objects.exists()
    studio.reconcile(blue)
    assert not OnlineEndpoint.objects.exists()


def test_an_endpoint_without_deployments_goes_at_once(studio: Studio, shed):
    OnlineEndpoint.objects.update(deletion_requested_at=studio.clock.now(), generation=2)
    Operation.objects.create(kind="DeleteEndpoint", endpoint_name="shed", generation=2)
    finish(shed, clock=studio.clock)
    finish(shed, clock=studio.clock)
    assert not OnlineEndpoint.objects.exists()
    assert [row.state for row in Operation.objects.order_by("generation")] == ["Canceled", "Succeeded"]
