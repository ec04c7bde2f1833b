"""Cancels a change that is under way: what ran whole before goes on, or nothing where nothing did."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation
from endpoints.selectors import authorised_deployment, get_operation
from endpoints.services.waking import wake_reconciler
from endpoints.spec.errors import Conflict
from endpoints.spec.states import OperationState
from studio.access import actions, audit
from studio.access.models import User


def cancel_operation(actor: User, *, operation_id: UUID | str) -> Operation:
    """Ask for the end of a deployment's creation, update or scaling out; the reconciler ends it as Canceled.

    A roll goes back to the revision that ran before. Scaling out stops at what is ready by now. A creation leaves the
    record and no instance. What is over, or cannot be taken back, is a Conflict.
    """
    operation = get_operation(actor, operation_id)
    if operation.state != OperationState.RUNNING:
        raise Conflict(f"This operation is over ({operation.state}); there is nothing to cancel.")
    if operation.kind.startswith("Delete"):
        raise Conflict("A deletion cannot be taken back.")
    if operation.kind == "StopDeployment":
        raise Conflict("Its cores are given back already; start the deployment again when it has stopped.")
    if not operation.deployment_name:
        raise Conflict("A change of an endpoint is done in a moment; change it back instead.")
    known = authorised_deployment(actor, operation.endpoint_name, operation.deployment_name, actions.DEPLOYMENTS_WRITE)
    with transaction.atomic():
        OnlineEndpoint.objects.select_for_update().get(pk=known.endpoint.pk)
        deployment = OnlineDeployment.objects.select_for_update().get(pk=known.pk)
        deployment.endpoint = known.endpoint
        _require_current(deployment, operation)
        deployment.canceled_generation = deployment.generation
        deployment.instance_count = _count_to_keep(deployment)
        deployment.save(update_fields=["canceled_generation", "instance_count", "updated_at"])
        target = f"deployment {operation.endpoint_name}/{operation.deployment_name}"
        audit.record(actor, actions.DEPLOYMENTS_WRITE, target=target, summary=f"Cancel: {operation.summary}")
        wake_reconciler(deployment)
    return operation


def _require_current(deployment: OnlineDeployment, operation: Operation) -> None:
    if deployment.deletion_requested_at:
        raise Conflict(f"The deployment {deployment.name!r} is being deleted.")
    if operation.generation < deployment.generation:
        raise Conflict("A newer change took the place of this operation; cancel that one.")
    if deployment.observed_generation >= deployment.generation:
        raise Conflict("The operation has just finished; there is nothing to cancel.")


def _count_to_keep(deployment: OnlineDeployment) -> int:
    """Of a deployment that only scales: as many as are ready. There is no older count to go back to in its record."""
    if deployment.observed_revision != deployment.revision:
        return deployment.instance_count
    if deployment.ready_instances >= deployment.instance_count:
        raise Conflict("The instances that go are on their way out already; scale out again instead.")
    return max(1, deployment.ready_instances)
