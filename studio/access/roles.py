"""The built-in roles as data, and giving roles to people. What a role allows is decided in `policy` alone."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group

from studio.access import actions
from studio.access.models import Role, RoleAssignment, User

_WORKSPACE = "Microsoft.MachineLearningServices/workspaces"


@dataclass(frozen=True, slots=True)
class BuiltinRole:
    """One role that comes with the studio, in the words of contract B11."""

    name: str
    description: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()


OWNER = BuiltinRole("Owner", "Everything, and the only role that gives roles to others.", ("*",))
CONTRIBUTOR = BuiltinRole(
    "Contributor",
    "Everything except giving roles to others.",
    ("*",),
    ("Microsoft.Authorization/*/write", "Microsoft.Authorization/*/delete", "Microsoft.Authorization/*/action"),
)
DATA_SCIENTIST = BuiltinRole(
    "AzureML Data Scientist",
    "Everything with endpoints, models and environments; may read quota, not change it.",
    (
        f"{_WORKSPACE}/*/read",
        f"{_WORKSPACE}/*/action",
        f"{_WORKSPACE}/*/delete",
        f"{_WORKSPACE}/*/write",
        "Microsoft.MachineLearningServices/locations/*/read",
    ),
    (
        f"{_WORKSPACE}/delete",
        f"{_WORKSPACE}/write",
        f"{_WORKSPACE}/computes/*/write",
        f"{_WORKSPACE}/computes/*/delete",
        f"{_WORKSPACE}/computes/listKeys/action",
    ),
)
READER = BuiltinRole("Reader", "Sees everything but keys, changes nothing.", ("*/read",))
SCORER = BuiltinRole(
    "Endpoint Scorer", "May call endpoints and fetch tokens for it, nothing else.", (actions.SCORE, actions.TOKEN)
)

AUTOMATION = BuiltinRole(
    "Automation",
    "For the studio's own programs, such as the autoscaler: changes endpoints and deployments, sees no key.",
    (actions.ENDPOINTS_READ, actions.ENDPOINTS_WRITE, actions.DEPLOYMENTS_READ, actions.DEPLOYMENTS_WRITE),
)

BUILTIN_ROLES = (OWNER, CONTRIBUTOR, DATA_SCIENTIST, READER, SCORER, AUTOMATION)


def ensure_builtin_roles(**_: object) -> None:
    """Make the built-in roles' rows what is written above. Idempotent; runs after every migration."""
    for role in BUILTIN_ROLES:
        Role.objects.update_or_create(
            name=role.name,
            defaults={
                "description": role.description,
                "actions": list(role.actions),
                "not_actions": list(role.not_actions),
                "is_builtin": True,
            },
        )


def assign(role_name: str, to: User | Group, *, endpoint: str = "") -> RoleAssignment:
    """Give the role to a person or a group, for the workspace or one endpoint. Giving it twice is no error."""
    role = Role.objects.get(name=role_name)
    holder = {"user": to} if isinstance(to, User) else {"group": to}
    assignment, _ = RoleAssignment.objects.get_or_create(role=role, endpoint=endpoint, **holder)
    return assignment
