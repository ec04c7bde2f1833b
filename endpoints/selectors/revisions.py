"""A deployment's revisions: what each changed, who made it, and which instances run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from endpoints.models import DeploymentRevision, OnlineDeployment
from endpoints.selectors.online import instances_of, revisions_of
from endpoints.spec.differences import Difference, differences
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
    running = Counter(instances_of(user, deployment).values_list("revision", flat=True))
    older = [*rows[1:], None]
    return [
        RevisionEntry(
            row=row,
            changes=differences(before.spec, row.spec) if before else (),
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
    return row
