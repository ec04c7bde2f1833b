"""Every verb and every read, by every role: who has the actions is served, who lacks one gets and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet

from endpoints.models import Operation
from endpoints.spec.errors import Forbidden, NotFound, SlipwayError
from studio.access.models import AuditRecord
from studio.access.policy import grants_of
from tests.walk.introspection import INTERNAL, all_verbs
from tests.walk.verbs import VERBS, Verb
from tests.walk.world import ROLES, World, holds, taken_back


def test_no_verb_is_without_a_rule() -> None:
    assert set(all_verbs()) == VERBS.keys() | INTERNAL


def outcome(verb: Verb, world: World, walker: Any) -> str:
    """ "served", or what was said instead."""
    try:
        with taken_back():
            result = verb.call(world, walker)
            if isinstance(result, QuerySet):
                result = list(result)
            return "nothing" if verb.is_filter and not result else "served"
    except (Forbidden, NotFound) as refusal:
        return f"refused: {refusal.message}"
    except SlipwayError:
        return "served"  # it was let in, and the state of things did not allow it


@pytest.mark.parametrize("role", ROLES)
def test_every_verb_keeps_its_rule(role: str, db: None, settings: Any) -> None:
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    world = World.make()
    walker = world.walker(role)
    grants = grants_of(walker)
    before = Operation.objects.count(), AuditRecord.objects.count()
    wrong = []
    for name, verb in VERBS.items():
        found, is_allowed = outcome(verb, world, walker), all(holds(grants, need) for need in verb.needs)
        if (found == "served") != is_allowed and not (is_allowed and "is not kept any more" in found):
            wrong.append(f"{name}: {found}")
    assert not wrong, "\n".join([role, *wrong])
    assert (Operation.objects.count(), AuditRecord.objects.count()) == before
