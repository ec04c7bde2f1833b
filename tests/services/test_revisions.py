"""Revisions: what the history says, and the way back."""

from __future__ import annotations

import pytest

from endpoints import selectors, services
from endpoints.models import DeploymentRevision, OnlineDeployment, Operation
from endpoints.spec.errors import Forbidden, Invalid, NotFound
from studio.access.models import User
from tests.people import person
from tests.services import world


@pytest.fixture
def changed(teammate: User) -> OnlineDeployment:
    """Revision 1, then 2 with a variable more."""
    world.endpoint(teammate)
    world.deploy(teammate)
    services.update_deployment(
        teammate, endpoint="risk", name="blue", document={"environment_variables": {"THRESHOLD": "0.5"}}
    )
    return OnlineDeployment.objects.get()


def roll_back(actor: User, revision: int) -> Operation | None:
    return services.roll_back_deployment(actor, endpoint="risk", name="blue", revision=revision)


def test_the_history_says_who_changed_what(changed: OnlineDeployment, teammate: User):
    newest, first = selectors.revision_history(teammate, changed)
    assert (newest.row.number, newest.row.created_by, newest.is_wanted) == (2, teammate, True)
    assert [(each.field, each.after) for each in newest.changes] == [("environment_variables.THRESHOLD", "0.5")]
    assert (first.row.number, list(first.changes), first.is_wanted) == (1, [], False)


def test_going_back_makes_an_old_revision_the_wanted_one_and_no_new_one(changed: OnlineDeployment, teammate: User):
    operation = roll_back(teammate, 1)
    row = OnlineDeployment.objects.get()
    assert operation is not None
    assert (operation.kind, operation.summary) == ("RollBackDeployment", "Roll back from revision 2 to 1")
    assert (row.revision, row.generation) == (1, changed.generation + 1) == (1, operation.generation)
    assert DeploymentRevision.objects.count() == 2


def test_a_change_after_going_back_gets_a_number_of_its_own(changed: OnlineDeployment, teammate: User):
    roll_back(teammate, 1)
    changes = {"environment_variables": {"THRESHOLD": "0.7"}}
    services.update_deployment(teammate, endpoint="risk", name="blue", document=changes)
    assert OnlineDeployment.objects.get().revision == 3


def test_count_and_tags_stay_when_going_back(changed: OnlineDeployment, teammate: User):
    changes = {"instance_count": 2, "tags": {"team": "risk"}}
    services.update_deployment(teammate, endpoint="risk", name="blue", document=changes)
    roll_back(teammate, 1)
    row = OnlineDeployment.objects.get()
    assert (row.instance_count, row.tags) == (2, {"team": "risk"})


def test_going_back_to_where_one_is_changes_nothing(changed: OnlineDeployment, teammate: User):
    assert roll_back(teammate, 2) is None
    assert OnlineDeployment.objects.get().generation == changed.generation


def test_a_revision_that_never_was_is_named(changed: OnlineDeployment, teammate: User):
    with pytest.raises(Invalid, match="has no revision 9; it has 1 to 2"):
        roll_back(teammate, 9)
    with pytest.raises(NotFound, match="has no revision 9"):
        selectors.get_revision(teammate, changed, 9)


def test_a_reader_sees_the_history_and_cannot_go_back(changed: OnlineDeployment, db: None):
    reader = person("rita", "Reader")
    assert len(selectors.revision_history(reader, changed)) == 2
    with pytest.raises(Forbidden):
        roll_back(reader, 1)
