"""Puts into words why an instance ended, where it did not say so itself."""

from __future__ import annotations

import contextlib

import msgspec

from endpoints.backends.base import Backend, DeploymentRef, ObservedInstance, Permanent, Temporary
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

_LOG_LINES = 20


def of_ended(observed: ObservedInstance, backend: Backend, deployment: DeploymentRef) -> Failure:
    """Why an instance that nobody asked to stop has ended."""
    failure = observed.failure or _unexplained(f"An instance ended: {observed.reason or 'nobody saw why'}.")
    return with_log_tail(failure, observed.instance_id, backend, deployment)


def of_vanished(instance_id: str) -> Failure:
    return _unexplained(f"Instance {instance_id} is gone: the host was restarted, or somebody removed it.")


def with_log_tail(failure: Failure, instance_id: str, backend: Backend, deployment: DeploymentRef) -> Failure:
    """The same, with the instance's last lines where the failure brought none."""
    if failure.log_tail:
        return failure
    lines: tuple[str, ...] = ()
    with contextlib.suppress(Temporary, Permanent):
        lines = tuple(line.message for line in backend.logs(deployment, instance_id=instance_id, lines=_LOG_LINES))
    return msgspec.structs.replace(failure, log_tail=lines)


def _unexplained(message: str) -> Failure:
    return Failure(
        code=FailureCode.CRASH_LOOP_BACK_OFF, message=message, advice="Its log shows what it did last; see below."
    )
