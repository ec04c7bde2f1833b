"""Who may do what."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from hypothesis import given
from hypothesis import strategies as st

from endpoints.spec.errors import Forbidden
from studio.access import actions
from studio.access.models import Role, User
from studio.access.policy import Grant, Grants, grants_of, is_allowed, matches, require
from studio.access.roles import BUILTIN_ROLES, assign, ensure_builtin_roles
from tests.people import person

WORKSPACE = "Microsoft.MachineLearningServices/workspaces"


@pytest.mark.parametrize(
    ("pattern", "action", "is_covered"),
    [
        ("*", actions.SCORE, True),
        ("*/read", actions.ENDPOINTS_READ, True),
        ("*/read", actions.ENDPOINTS_WRITE, False),
        (f"{WORKSPACE}/onlineEndpoints/*", actions.DEPLOYMENTS_DELETE, True),
        (f"{WORKSPACE}/onlineEndpoints/*/action", actions.LIST_KEYS, True),
        (f"{WORKSPACE}/onlineEndpoints/listkeys/action", actions.LIST_KEYS, True),  # documents mix the case
        (f"{WORKSPACE}/onlineEndpoints/re.d", actions.ENDPOINTS_READ, False),  # a dot is a dot
        (f"{WORKSPACE}/onlineEndpoints", actions.ENDPOINTS_READ, False),  # no prefix match
    ],
)
def test_a_pattern_covers_exactly_what_it_says(pattern: str, action: str, is_covered: bool) -> None:
    assert matches(pattern, action) is is_covered


@given(st.text(alphabet="aB/*.+?[]()\\^$| \n", max_size=30))
def test_any_text_is_a_harmless_pattern(pattern: str) -> None:
    assert matches(pattern, pattern)
    assert matches(pattern, "x") is (set(pattern) == {"*"})


def test_not_actions_take_away_from_their_own_role_only() -> None:
    blind = Grant("blind", ("*",), (actions.LIST_KEYS,))
    assert not Grants((blind,)).allows(actions.LIST_KEYS)
    assert Grants((blind, Grant("keys", (actions.LIST_KEYS,)))).allows(actions.LIST_KEYS)


def test_a_role_for_one_endpoint_counts_there_only() -> None:
    grants = Grants((Grant("Reader", ("*/read",), endpoint="risk"),))
    assert grants.allows(actions.ENDPOINTS_READ, "risk")
    assert not grants.allows(actions.ENDPOINTS_READ, "fraud")
    assert not grants.allows(actions.ENDPOINTS_READ)
    assert grants.endpoints(actions.ENDPOINTS_READ) == frozenset({"risk"})


def test_a_role_for_the_workspace_counts_on_every_endpoint() -> None:
    grants = Grants((Grant("Reader", ("*/read",)),))
    assert grants.allows(actions.ENDPOINTS_READ, "risk")
    assert grants.endpoints(actions.ENDPOINTS_READ) is None


def test_a_superuser_is_owner_whatever_the_assignments_say(db: None) -> None:
    root = User(username="root", is_superuser=True)
    assert all(is_allowed(root, action, "risk") for action in actions.ALL)


def test_who_is_nobody_or_was_sent_away_may_do_nothing(owner: User) -> None:
    owner.is_active = False
    assert not grants_of(owner).items
    assert not grants_of(AnonymousUser()).items


def test_a_group_passes_its_roles_on(stranger: User) -> None:
    group = Group.objects.create(name="Risk team")
    assign("Reader", group, endpoint="risk")
    assert not is_allowed(stranger, actions.ENDPOINTS_READ, "risk")
    stranger.groups.add(group)
    assert is_allowed(stranger, actions.ENDPOINTS_READ, "risk")


def test_a_refusal_names_the_missing_action(reader: User) -> None:
    with pytest.raises(Forbidden) as refused:
        require(reader, actions.ENDPOINTS_WRITE, "risk")
    assert refused.value.action == actions.ENDPOINTS_WRITE
    assert actions.ENDPOINTS_WRITE in refused.value.message


def test_asking_costs_one_query(teammate: User, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        grants = grants_of(teammate)
        assert all(grants.allows(action, "risk") for action in actions.ENDPOINT_ACTIONS)


MAY_NOT = {
    "Owner": set(),
    "Contributor": {actions.ROLES_WRITE},
    "AzureML Data Scientist": {
        actions.WORKSPACE_WRITE,
        actions.QUOTA_WRITE,
        actions.ROLES_READ,
        actions.ROLES_WRITE,
        actions.AUDIT_READ,
    },
    "Reader": {action for action in actions.ALL if not action.endswith("/read")},
    "Endpoint Scorer": set(actions.ALL) - {actions.SCORE, actions.TOKEN},
    "Automation": set(actions.ALL)
    - {actions.ENDPOINTS_READ, actions.ENDPOINTS_WRITE, actions.DEPLOYMENTS_READ, actions.DEPLOYMENTS_WRITE},
}


@pytest.mark.parametrize("role", [role.name for role in BUILTIN_ROLES])
def test_built_in_roles_allow_what_azure_says(role: str, db: None) -> None:
    user = person("somebody", role)
    refused = {action for action in actions.ALL if not is_allowed(user, action, "risk")}
    assert refused == MAY_NOT[role]


def test_built_in_roles_are_mended_and_custom_ones_left_alone(db: None) -> None:
    Role.objects.filter(name="Reader").update(actions=["*"])
    Role.objects.create(name="Night shift", actions=["*/read"])
    ensure_builtin_roles()
    assert Role.objects.get(name="Reader").actions == ["*/read"]
    assert Role.objects.get(name="Night shift").actions == ["*/read"]
    assert Role.objects.filter(is_builtin=True).count() == len(BUILTIN_ROLES)
