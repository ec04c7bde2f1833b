"""What is recorded when a turn ends in an error, and when it is tried again. Nothing is ever lost."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

import msgspec

from endpoints.backends.base import Temporary
from endpoints.control import settling
from endpoints.control.clock import Clock
from endpoints.models import OnlineDeployment
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

logger = logging.getLogger(__name__)

# A change that met so many unknown errors in a row is reported as failed; a deletion is tried for ever.
MOST_ATTEMPTS = 6
LONGEST_WAIT_S = 300.0
# After a failure that only a change can mend, in case the world mended itself.
PERMANENT_WAIT_S = 60.0


def record_temporary(deployment_id: int, trouble: Temporary, clock: Clock) -> None:
    """The target cannot do it now; it says when to try again."""
    logger.warning("Deployment %s: %s; again in %g s", deployment_id, trouble, trouble.retry_in)
    if deployment := _row(deployment_id):
        _mark_running_step(deployment, f"waiting: {trouble}", clock)
        _look_at(deployment_id, trouble.retry_in, clock)


def record_permanent(deployment_id: int, failure: Failure, clock: Clock) -> None:
    """It will not work as things stand: the generation is given up."""
    if deployment := _row(deployment_id):
        is_new = deployment.observed_generation < deployment.generation and not deployment.deletion_requested_at
        settling.give_up(deployment, failure, clock)
        _look_at(deployment_id, 0.0 if is_new else PERMANENT_WAIT_S, clock)


def record_unknown(deployment_id: int, trouble: Exception, clock: Clock) -> None:
    """An error of the studio itself: an id for the person, the trace for the log, and another try."""
    failure_id = uuid.uuid4().hex[:12]
    logger.error("Deployment %s failed unexpectedly (%s)", deployment_id, failure_id, exc_info=trouble)
    deployment = _row(deployment_id)
    if deployment is None:
        return
    failure = Failure(
        code=FailureCode.INTERNAL_SERVER_ERROR,
        message=f"The studio met an error of its own ({failure_id}).",
        advice=f"It is tried again by itself. If it stays, give the admin the number {failure_id}; the worker's log "
        "explains it.",
    )
    attempts = deployment.attempts + 1
    OnlineDeployment.objects.filter(pk=deployment_id).update(attempts=attempts, failure=msgspec.to_builtins(failure))
    is_open = deployment.observed_generation < deployment.generation and not deployment.deletion_requested_at
    if is_open and attempts >= MOST_ATTEMPTS:
        settling.give_up(deployment, failure, clock)
    _look_at(deployment_id, min(LONGEST_WAIT_S, 2.0 ** (attempts - 1)), clock)


def _row(deployment_id: int) -> OnlineDeployment | None:
    return OnlineDeployment.objects.select_related("endpoint").filter(pk=deployment_id).first()


def _look_at(deployment_id: int, wait_s: float, clock: Clock) -> None:
    OnlineDeployment.objects.filter(pk=deployment_id).update(next_look_at=clock.now() + timedelta(seconds=wait_s))


def _mark_running_step(deployment: OnlineDeployment, detail: str, clock: Clock) -> None:
    settling.progress_of(deployment).note(detail, now=clock.now())
