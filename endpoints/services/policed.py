"""What a scaling policy makes of a change by hand: whose count holds, and within which bounds.

Without a policy the document's count holds, and nothing sleeps. With one, a whole document leaves the count to the
policy (a file applied again must not take instances away from under the load); a count that is named on its own holds
within the policy's bounds and is refused beyond them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.utils import timezone

from endpoints.models import OnlineDeployment
from endpoints.spec.documents import OnlineDeploymentDocument
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.scaling_document import ScalingDocument
from endpoints.spec.scaling_policy import policy_of
from endpoints.spec.schema import to_json


def scaling_values(document: OnlineDeploymentDocument) -> dict[str, object]:
    """The policy as the row keeps it; empty for none."""
    wanted = document.wanted_scaling
    return to_json(wanted) if wanted else {}


def awake_where_it_must_be(values: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """A merged document of which the policy went, or may not sleep any more: a sleeper has one instance again."""
    scaling = values.get("scaling")
    may_sleep = isinstance(scaling, Mapping) and scaling.get("enabled", True) and scaling.get("minimum") == 0
    is_asleep = values.get("instance_count") == 0 and "instance_count" not in changes
    return {**values, "instance_count": 1} if is_asleep and not may_sleep else dict(values)


def under_policy(
    deployment: OnlineDeployment, wanted: OnlineDeploymentDocument, *, is_whole: bool
) -> OnlineDeploymentDocument:
    """The document with the policy and the count that hold. Raises Invalid for a count the policy does not allow."""
    if is_whole and wanted.wanted_scaling is None and deployment.scaling:
        wanted = replace(wanted, scaling=ScalingDocument.read(deployment.scaling))
    scaling = wanted.wanted_scaling
    if scaling is None or not scaling.enabled:
        return wanted
    if is_whole:
        return replace(wanted, instance_count=deployment.instance_count or 1)
    if wanted.instance_count != deployment.instance_count:
        _require_allowed(scaling, wanted.instance_count)
    return wanted


def _require_allowed(scaling: ScalingDocument, count: int) -> None:
    bounds, schedule = policy_of(scaling).active(timezone.now())
    if bounds.minimum <= count <= bounds.maximum:
        return
    whose = f"the schedule {schedule.name} of the scaling policy" if schedule else "the scaling policy"
    message = (
        f"{whose[0].upper()}{whose[1:]} keeps this deployment at {bounds.minimum} to {bounds.maximum} instances, "
        f"not {count}. Change its bounds, or switch it off: slipway monitor autoscale update --enabled false"
    )
    raise Invalid(f"instance_count: {message}", details=[FieldError("instance_count", message)])


def tried_before_it_sleeps(deployment: OnlineDeployment) -> int:
    """How many instances a sleeper gets when what it is made of changes: the new ones are tried before anyone calls."""
    return deployment.instance_count or 1
