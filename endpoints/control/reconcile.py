"""Brings one deployment from what is wanted to what is there: look, plan, act, record, again.

Level-triggered: every look starts from the rows and from what the target reports, so a turn may be killed anywhere and
taken up by another worker. What to do is `plan`'s decision; here it is carried out and written down.
"""

from __future__ import annotations

import logging

from endpoints.backends.base import Permanent, Temporary
from endpoints.control import leases, waking
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.endpoints import finish
from endpoints.control.leases import Lease, LeaseLost
from endpoints.control.trouble import record_permanent, record_temporary, record_unknown
from endpoints.control.turn import Turn
from endpoints.models import OnlineDeployment, OnlineEndpoint

logger = logging.getLogger(__name__)

# One turn's share of a worker's thread: then others have theirs, and a new turn goes on.
SLICE_S = 3.0
# Waits up to this long are sat out; longer ones are left to the sweep.
SHORT_S = 0.3
RENEW_EVERY_S = 1.0


def reconcile(deployment_id: int, *, clock: Clock = SYSTEM_CLOCK, slice_s: float = SLICE_S) -> None:
    """Take the deployment as far as it goes within `slice_s` seconds. Returns at once where somebody is at it."""
    endpoint = OnlineEndpoint.objects.filter(deployments=deployment_id).first()
    with leases.hold(deployment_id, clock) as lease:
        if lease is None or endpoint is None:
            return
        is_unfinished = _work(deployment_id, lease, clock, slice_s)
    if is_unfinished or _was_changed_meanwhile(deployment_id):
        waking.wake(waking.RECONCILE_DEPLOYMENT, deployment_id)
    if not OnlineDeployment.objects.filter(pk=deployment_id).exists():
        finish(endpoint, clock=clock)


def _work(deployment_id: int, lease: Lease, clock: Clock, slice_s: float) -> bool:
    """Returns whether there is more to do right away."""
    turn = Turn(deployment_id, clock, lease)
    try:
        return _look_until_quiet(turn, lease, clock, slice_s)
    except LeaseLost:
        logger.warning("Somebody else took over deployment %s", deployment_id)
    except Temporary as trouble:
        record_temporary(deployment_id, trouble, clock)
    except Permanent as trouble:
        record_permanent(deployment_id, trouble.failure, clock)
    except Exception as trouble:  # noqa: BLE001  # recorded with its trace and tried again; a turn never dies silently
        record_unknown(deployment_id, trouble, clock)
    return False


def _look_until_quiet(turn: Turn, lease: Lease, clock: Clock, slice_s: float) -> bool:
    ends_at = clock.now().timestamp() + slice_s
    renewed_at = clock.now().timestamp()
    while True:
        wait_s = turn.look()
        now = clock.now().timestamp()
        if wait_s is None or wait_s > SHORT_S or now >= ends_at:
            turn.look_again_in(wait_s)
            return wait_s is not None and wait_s <= SHORT_S
        if now - renewed_at >= RENEW_EVERY_S:
            lease.renew()
            renewed_at = now
        clock.sleep(wait_s)


def _was_changed_meanwhile(deployment_id: int) -> bool:
    """A change accepted between the last look and the lease's end: its own wake found the lease taken."""
    row = OnlineDeployment.objects.filter(pk=deployment_id).first()
    return row is not None and row.next_look_at is None and row.observed_generation < row.generation
