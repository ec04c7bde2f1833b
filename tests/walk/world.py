"""A workspace in which everything an address or a verb can name exists, and the people who walk through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from endpoints import services
from endpoints.models import OnlineEndpoint, Operation, PoolLoan, Upload
from studio.access import actions
from studio.access.models import Role, User
from studio.access.policy import Grants
from studio.access.roles import assign
from studio.access.tokens import create_token
from studio.wizards.models import DeploymentDraft
from tests.pages import world as rows

ENDPOINT, DEPLOYMENT = "diabetes-risk", "blue"
# May do everything with one endpoint but see its keys, and nothing in the workspace.
CUSTOM = "Operator of one"
# An action, or one with its scope: the name of an endpoint, "" for the workspace, ANYWHERE for any of either;
# a set of those: any one of them.
Need = str | tuple[str, str] | frozenset[tuple[str, str]]
ANYWHERE = "*"
STRANGER, NOBODY = "stranger", "nobody"
ROLLOUT = {
    "endpoint_name": ENDPOINT,
    "from_deployment": "blue",
    "to_deployment": "green",
    "stages": [{"percent": 20, "seconds": 60}],
    "gates": [{"metric": "error_percent", "max": 5}],
}
ROLES = ("Owner", "Contributor", "AzureML Data Scientist", "Reader", "Endpoint Scorer", CUSTOM, STRANGER)


@dataclass
class World:
    """ids: what stands in addresses, by area and word ("" for any area)."""

    owner: User
    endpoint: OnlineEndpoint
    ids: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    def make(cls) -> World:
        owner = rows.person("olivia", is_superuser=True)
        endpoint = rows.workspace(owner)
        world = cls(owner, endpoint)
        group = Group.objects.create(name="risk team")
        role = Role.objects.create(
            name=CUSTOM,
            actions=["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*"],
            not_actions=[actions.LIST_KEYS],
        )
        spare = Role.objects.create(name="Unused", actions=[actions.ENDPOINTS_READ])
        member = rows.person("mara")
        assignment = assign("Reader", member)
        asked = services.request_quota(owner, family="DSv2", limit_cores=300)
        services.set_family_limit(owner, family="DSv2", pool_cores=64)
        ends_at = timezone.now() + timedelta(hours=8)
        PoolLoan.objects.create(
            deployment=endpoint.deployments.get(name=DEPLOYMENT),
            endpoint_name=ENDPOINT,
            deployment_name=DEPLOYMENT,
            family="DSv2",
            cores=16,
            lent_to=owner,
            ends_at=ends_at,
        )
        services.start_rollout(owner, document=ROLLOUT)
        world.ids = {
            ("", "endpoint"): ENDPOINT,
            ("", "deployment"): DEPLOYMENT,
            ("endpoints", "name"): ENDPOINT,
            ("deployments", "name"): DEPLOYMENT,
            ("models", "name"): "diabetes",
            ("environments", "name"): "sklearn",
            ("quota", "name"): "Standard_DS3_v2",
            ("settings", "name"): "endpoints",
            ("endpoints", "request_id"): "00000000-0000-4000-8000-000000000000",
            ("", "version"): "1",
            ("", "key_type"): "primary",
            ("", "username"): "mara",
            ("", "secret"): "guess",
            ("", "number"): 1,
            ("", "index"): 0,
            ("", "family"): "DSv2",
            ("", "chart"): "requests",
            ("", "example_id"): 1,
            ("", "step"): "endpoint",
            ("quota", "request_id"): asked.pk,
            ("api", "request_id"): asked.pk,
            ("", "operation_id"): Operation.objects.filter(deployment_name="shadow-xgb").latest("created_at").pk,
            ("", "group_id"): group.pk,
            ("", "assignment_id"): assignment.pk,
            ("", "role_id"): spare.pk,
            ("", "role"): role.pk,
        }
        return world

    def walker(self, role: str) -> User:
        """Somebody who has that role and no other, with a token and a draft of their own."""
        name = f"w-{role.lower().replace(' ', '-')}"
        user = User.objects.filter(username=name).first()
        if user is None:
            user = rows.person(name)
            if role != STRANGER:
                assign(role, user, endpoint=ENDPOINT if role == CUSTOM else "")
            self.settle(user)
        return user

    def settle(self, user: User) -> None:
        """Give somebody what is their own."""
        draft = DeploymentDraft.objects.create(owner=user)
        token, _ = create_token(user, name="walk")
        upload = Upload.objects.create(purpose="model", root_name="m", created_by=user)
        self.ids[user.username, "upload_id"] = upload.pk
        self.ids[user.username, "draft"] = draft.pk
        self.ids[user.username, "token_key"] = token.token_key

    def word(self, user: User | None, area: str, word: str) -> Any:
        """What stands for `word` in an address of `area`."""
        own = (user.username if user else "", word)
        for key in (own, (area, word), ("", word)):
            if key in self.ids:
                return self.ids[key]
        raise LookupError(f"The walk's world has nothing for {word!r} of {area!r}")


@contextmanager
def taken_back() -> Iterator[None]:
    """Whatever is done within is undone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def holds(grants: Grants, need: Need) -> bool:
    """Whether the walker has it: an endpoint's action is asked for the endpoint of this world."""
    if isinstance(need, frozenset):
        return any(holds(grants, one) for one in need)
    action, scope = need if isinstance(need, tuple) else (need, ENDPOINT if need in actions.ENDPOINT_ACTIONS else "")
    if scope == ANYWHERE:
        return grants.endpoints(action) != frozenset()
    return grants.allows(action, scope)
