"""Cancelling: what it asks of the reconciler, and what cannot be canceled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from endpoints import services
from endpoints.models import OnlineDeployment, Operation
from endpoints.services.cancellation import cancel_operation
from endpoints.spec.errors import Conflict, Forbidden, NotFound
from studio.access.models import User
from tests.people import person
from tests.services import world


@pytest.fixture
def running(teammate: User) -> OnlineDeployment:
    """One that was rolled out whole, with two instances."""
    world.endpoint(teammate)
    world.deploy(teammate, instance_count=2)
    OnlineDeployment.objects.update(observed_generation=1, observed_revision=1, ready_instances=2)
    Operation.objects.update(state="Succeeded")
    return OnlineDeployment.objects.get()


def update(actor: User, **changes: object) -> Operation:
    operation = services.update_deployment(actor, endpoint="risk", name="blue", document=changes)
    assert operation is not None
    return operation


def cancel(actor: User, operation: Operation) -> OnlineDeployment:
    cancel_operation(actor, operation_id=operation.pk)
    return OnlineDeployment.objects.get()


def test_a_change_of_what_runs_is_to_be_given_up(running: OnlineDeployment, teammate: User):
    operation = update(teammate, environment_variables={"A": "b"}, instance_count=3)
    row = cancel(teammate, operation)
    assert (row.canceled_generation, row.instance_count) == (operation.generation, 3)


def test_scaling_out_stops_at_what_is_ready(running: OnlineDeployment, teammate: User):
    assert cancel(teammate, update(teammate, instance_count=5)).instance_count == 2


def test_scaling_in_cannot_be_canceled(running: OnlineDeployment, teammate: User):
    operation = update(teammate, instance_count=1)
    with pytest.raises(Conflict, match="on their way out"):
        cancel(teammate, operation)


def test_a_newer_change_takes_the_place_of_a_canceled_one(running: OnlineDeployment, teammate: User):
    row = cancel(teammate, update(teammate, environment_variables={"A": "b"}))
    assert update(teammate, environment_variables={"A": "c"}).generation == row.canceled_generation + 1


def test_an_older_operation_is_not_canceled_for_a_newer_one(running: OnlineDeployment, teammate: User):
    older = update(teammate, environment_variables={"A": "b"})
    update(teammate, environment_variables={"A": "c"})
    with pytest.raises(Conflict, match="A newer change took the place"):
        cancel(teammate, older)


def test_what_is_over_cannot_be_canceled(running: OnlineDeployment, teammate: User):
    with pytest.raises(Conflict, match="is over"):
        cancel(teammate, Operation.objects.filter(kind="CreateDeployment").get())


def test_a_deletion_takes_no_change_and_cannot_be_taken_back(running: OnlineDeployment, teammate: User):
    operation = services.delete_deployment(teammate, endpoint="risk", name="blue")
    with pytest.raises(Conflict, match="cannot be taken back"):
        cancel(teammate, operation)
    changes: tuple[Callable[[], object], ...] = (
        lambda: update(teammate, instance_count=3),
        lambda: services.retry_deployment(teammate, endpoint="risk", name="blue"),
        lambda: services.roll_back_deployment(teammate, endpoint="risk", name="blue", revision=1),
    )
    for change in changes:
        with pytest.raises(Conflict, match="is being deleted"):
            change()


def test_only_who_may_change_it_may_cancel(running: OnlineDeployment, teammate: User):
    operation = update(teammate, instance_count=5)
    with pytest.raises(Forbidden):
        cancel(person("rita", "Reader"), operation)
    with pytest.raises(NotFound):
        cancel(person("sam"), operation)
