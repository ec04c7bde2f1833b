"""Who holds which role and where: given, taken away, explained. Groups hold roles as people do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit, roles
from studio.access.models import Group, Role, RoleAssignment, User
from studio.access.people import require_an_owner_left
from studio.access.policy import Grant, matches, require


def assignments_for(user: User) -> QuerySet[RoleAssignment]:
    """All of them, the workspace's first."""
    require(user, actions.ROLES_READ)
    rows = RoleAssignment.objects.select_related("role", "user", "group")
    return rows.order_by("endpoint", "role__name", "user__username", "group__name")


def groups_for(user: User) -> QuerySet[Group]:
    """All groups with their people and roles."""
    require(user, actions.ROLES_READ)
    return Group.objects.prefetch_related("user_set", "assignments__role").order_by("name")


def assign_role(actor: User, *, role: str, to: User | Group, endpoint: str = "") -> RoleAssignment:
    """Give a role for the workspace, or for one endpoint. Giving it twice is no error."""
    require(actor, actions.ROLES_WRITE)
    if not Role.objects.filter(name=role).exists():
        message = f"There is no role {role!r}."
        raise Invalid(message, details=[FieldError("role", message)])
    with transaction.atomic():
        row = roles.assign(role, to, endpoint=endpoint)
        _record(actor, row, f"Give the role {role}")
    return row


def unassign_role(actor: User, *, assignment_id: int) -> None:
    """Take a role away."""
    require(actor, actions.ROLES_WRITE)
    with transaction.atomic():
        row = RoleAssignment.objects.select_related("role", "user", "group").filter(pk=assignment_id).first()
        if row is None:
            raise NotFound("This assignment is gone already.")
        _record(actor, row, f"Take the role {row.role} away")
        row.delete()
        require_an_owner_left()


def save_group(actor: User, *, name: str, people: Collection[User], group_id: int | None = None) -> Group:
    """A new group, or another name or other people for one there is."""
    require(actor, actions.ROLES_WRITE)
    name = name.strip()
    with transaction.atomic():
        if Group.objects.filter(name__iexact=name).exclude(pk=group_id or 0).exists():
            message = f"There is a group named {name!r} already."
            raise Conflict(message, details=[FieldError("name", message)])
        group = Group.objects.select_for_update().filter(pk=group_id).first() if group_id else Group()
        if group is None:
            raise NotFound("This group is gone already.")
        before = sorted(group.user_set.values_list("username", flat=True)) if group.pk else []
        group.name = name
        group.save()
        group.user_set.set(people)
        require_an_owner_left()
        after = sorted(person.username for person in people)
        summary, target = "Change the group" if group_id else "Make the group", f"group {name}"
        audit.record(
            actor,
            actions.ROLES_WRITE,
            target=target,
            summary=summary,
            before={"people": before},
            after={"people": after},
        )
    return group


def delete_group(actor: User, *, group_id: int) -> None:
    """Take the group with its roles away; its people stay."""
    require(actor, actions.ROLES_WRITE)
    with transaction.atomic():
        group = Group.objects.filter(pk=group_id).first()
        if group is None:
            raise NotFound("This group is gone already.")
        audit.record(actor, actions.ROLES_WRITE, target=f"group {group.name}", summary="Delete the group")
        group.delete()
        require_an_owner_left()


@dataclass(frozen=True, slots=True)
class Reason:
    """One role a person holds, and what it says to the action. pattern: what matched; exception: what took it out."""

    role: str
    holder: str
    endpoint: str
    pattern: str
    exception: str = ""

    @property
    def is_allowing(self) -> bool:
        return bool(self.pattern) and not self.exception


def explain(actor: User, *, person: User, action: str, endpoint: str = "") -> list[Reason]:
    """Why `person` may do `action` there, or why not: every role that has a word on it, those that allow it first."""
    require(actor, actions.ROLES_READ)
    if not person.is_active:
        return []
    found = [Reason("Owner", "as administrator", "", "*")] if person.is_superuser else []
    held = RoleAssignment.objects.select_related("role", "group").filter(
        Q(user=person) | Q(group__user=person), endpoint__in={"", endpoint}
    )
    for row in held:
        pattern = _first(row.role.actions, action)
        if pattern:
            holder = f"through the group {row.group.name}" if row.group else "directly"
            found.append(Reason(row.role.name, holder, row.endpoint, pattern, _first(row.role.not_actions, action)))
    return sorted(found, key=lambda reason: not reason.is_allowing)


def _first(patterns: list[str], action: str) -> str:
    return next((pattern for pattern in patterns if matches(pattern, action)), "")


def matrix() -> list[tuple[Role, list[bool]]]:
    """Every role with a yes or no for each of `actions.ALL`."""
    rows = Role.objects.order_by("-is_builtin", "name")
    grants = ((row, Grant(row.name, tuple(row.actions), tuple(row.not_actions))) for row in rows)
    return [(row, [grant.allows(action) for action in actions.ALL]) for row, grant in grants]


def _record(actor: User, row: RoleAssignment, summary: str) -> None:
    holder = f"user {row.user.username}" if row.user else f"group {row.group}"
    where = f"endpoint {row.endpoint}" if row.endpoint else "the workspace"
    audit.record(actor, actions.ROLES_WRITE, target=holder, summary=f"{summary} on {where}")
