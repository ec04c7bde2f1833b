"""Values of environment variables: for those who may write the deployment, who could print them anyway.

Everybody else sees names. A hidden value is None, which no document may hold, so that one that was exported with hidden
values is refused rather than applied with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from endpoints.models import DeploymentRevision
from endpoints.spec.differences import Difference, differences
from studio.access import actions
from studio.access.models import User
from studio.access.policy import is_allowed

VARIABLES = "environment_variables"
HIDDEN = "(hidden)"


def hide_values(user: User, endpoint: str, revisions: Iterable[DeploymentRevision]) -> None:
    """Take the values out of rows that are about to be shown. No query where there are none."""
    held = [row for row in revisions if row.spec.get(VARIABLES)]
    if not held or is_allowed(user, actions.DEPLOYMENTS_WRITE, endpoint):
        return
    for row in held:
        row.spec = {**row.spec, VARIABLES: dict.fromkeys(row.spec[VARIABLES])}


def shown_differences(
    user: User, endpoint: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Difference]:
    """What differs between two revisions' documents; that a variable's value differs is told, not the values."""
    found = differences(before, after)
    if not any(each.field.partition(".")[0] == VARIABLES for each in found):
        return found
    if is_allowed(user, actions.DEPLOYMENTS_WRITE, endpoint):
        return found
    return [_hidden(each) if each.field.partition(".")[0] == VARIABLES else each for each in found]


def _hidden(difference: Difference) -> Difference:
    return Difference(difference.field, _without(difference.before), _without(difference.after))


def _without(value: object) -> object:
    """None is a variable that is not there, which a reader may know."""
    if isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    return None if value is None else HIDDEN
