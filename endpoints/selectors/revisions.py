"""A deployment's revisions: what each changed, who made it, and which instances run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from endpoints.models import DeploymentRevision, OnlineDeployment
from endpoints.selectors.hiding import hide_values, shown_differences
from endpoints.selectors.online import instances_of, revisions_of
from endpoints.spec.differences import Difference
from endpoints.spec.errors import NotFound
from studio.access.models import User


@dataclass(frozen=True, slots=True)
class RevisionEntry:
    """One revision in the deployment's history.

    changes: against the one before; none for the first. instances: how many run it now. is_wanted: it is what should
    run. is_proven: it is the last one that was rolled out whole.
    """

    row: DeploymentRevision
    changes: Sequence[Difference]
    instances: int
    is_wanted: bool
    is_proven: bool


def revision_history(user: User, deployment: OnlineDeployment) -> list[RevisionEntry]:
    """All revisions, newest first."""
    rows = list(revisions_of(user, deployment))
    entries = _entries(user, deployment, rows)
    hide_values(user, deployment.endpoint.name, rows)
    return entries


def _entries(user: User, deployment: OnlineDeployment, rows: Sequence[DeploymentRevision]) -> list[RevisionEntry]:
    running = Counter(instances_of(user, deployment).values_list("revision", flat=True))
    older = [*rows[1:], None]
    return [
        RevisionEntry(
            row=row,
            changes=shown_differences(user, deployment.endpoint.name, before.spec, row.spec) if before else (),
            instances=running[row.number],
            is_wanted=row.number == deployment.revision,
            is_proven=row.number == deployment.observed_revision,
        )
        for row, before in zip(rows, older, strict=True)
    ]


def get_revision(user: User, deployment: OnlineDeployment, number: int) -> DeploymentRevision:
    """One revision of the deployment by its number."""
    row = revisions_of(user, deployment).filter(number=number).first()
    if row is None:
        raise NotFound(f"The deployment {deployment.name!r} has no revision {number}.")
    row.deployment = deployment
    hide_values(user, deployment.endpoint.name, [row])
    return row


def revision_changes(user: User, deployment: OnlineDeployment, *, before: int, after: int) -> list[Difference]:
    """What revision `after` has otherwise than `before`."""
    specs = dict(revisions_of(user, deployment).values_list("number", "spec"))
    missing = next((number for number in (before, after) if number not in specs), None)
    if missing is not None:
        raise NotFound(f"The deployment {deployment.name!r} has no revision {missing}.")
    return shown_differences(user, deployment.endpoint.name, specs[before], specs[after])
