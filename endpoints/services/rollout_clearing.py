"""What becomes of the old deployment once a rollout has passed. Done in the name of whoever started the rollout."""

from __future__ import annotations

from endpoints.models import Rollout
from endpoints.services.deployments import delete_deployment, scale_deployment
from endpoints.spec.errors import SlipwayError
from endpoints.spec.rollout_document import RolloutDocument


def clear_away(rollout: Rollout) -> None:
    """Scale down or delete the old deployment, where that was asked for; what is refused is told in the record."""
    finish = RolloutDocument.read(rollout.document).finish
    if finish.old == "keep":
        return
    names = {"endpoint": rollout.endpoint.name, "name": rollout.from_deployment}
    creator = rollout.created_by
    try:
        if creator is None:
            outcome = f"{rollout.from_deployment} stays: whoever started the rollout has no account any more."
        elif finish.old == "delete":
            delete_deployment(creator, **names)
            outcome = f"{rollout.from_deployment} is being deleted."
        else:
            scale_deployment(creator, **names, instance_count=finish.instance_count)
            outcome = f"{rollout.from_deployment} is scaled to {finish.instance_count}."
    except SlipwayError as refused:
        outcome = f"{rollout.from_deployment} stays: {refused.message}"
    rollout.text = f"{rollout.text} {outcome}"
    Rollout.objects.filter(pk=rollout.pk).update(text=rollout.text)
