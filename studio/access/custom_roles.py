"""Roles of one's own, from the JSON Azure writes them in. What a role then allows is decided in `policy` alone."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from endpoints.spec.errors import Conflict, FieldError, Invalid, NotFound
from studio.access import actions, audit
from studio.access.models import Role, User
from studio.access.people import require_an_owner_left
from studio.access.policy import Grant, matches, require

MAX_PATTERNS = 200
_KNOWN = ("Name", "Description", "Actions", "NotActions")
# Of Azure's JSON, and without a meaning here: roles are bound to the workspace or an endpoint by assigning them.
_IGNORED = ("Id", "IsCustom", "AssignableScopes", "RoleType", "Type")
_PATTERN = re.compile(r"\*|[A-Za-z0-9.*]+(/[A-Za-z0-9.*_-]+)*")
EXAMPLE = {
    "Name": "Traffic shifter",
    "Description": "Reads endpoints and sets their traffic.",
    "Actions": [actions.ENDPOINTS_READ, actions.ENDPOINTS_WRITE, actions.DEPLOYMENTS_READ],
    "NotActions": [],
}


@dataclass(frozen=True, slots=True)
class RoleDocument:
    """A role as read. `unused`: its patterns that match nothing this studio asks for."""

    name: str
    description: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]

    @property
    def unused(self) -> tuple[str, ...]:
        patterns = (*self.actions, *self.not_actions)
        return tuple(one for one in patterns if not any(matches(one, action) for action in actions.ALL))


def read_role(text: str) -> RoleDocument:
    """Azure's JSON (`{"Name", "Actions", "NotActions", …}`, either case of the first letter), checked whole."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise Invalid(
            "This is not JSON.", details=[FieldError("document", f"This is not JSON: {error}.", line)]
        ) from None
    if not isinstance(raw, dict):
        raise Invalid("A role is a JSON object.", details=[FieldError("document", "A role is a JSON object.")])
    values = _flat(raw)
    problems = [FieldError("document", problem) for problem in _problems(values)]
    if problems:
        raise Invalid(problems[0].message, details=problems)
    return RoleDocument(
        name=values["Name"].strip(),
        description=values.get("Description") or "",
        actions=tuple(values["Actions"]),
        not_actions=tuple(values.get("NotActions") or ()),
    )


def _flat(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Both forms Azure prints: the flat one, and `properties` with `roleName` and `permissions`."""
    if isinstance(inner := raw.get("properties"), dict):
        raw = inner
    values = {key[:1].upper() + key[1:]: value for key, value in raw.items()}
    if "RoleName" in values:
        values["Name"] = values.pop("RoleName")
    permissions = values.pop("Permissions", None)
    if isinstance(permissions, list) and len(permissions) == 1 and isinstance(permissions[0], dict):
        values |= {key[:1].upper() + key[1:]: value for key, value in permissions[0].items()}
    return values


def _problems(values: Mapping[str, Any]) -> Iterator[str]:
    name = values.get("Name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 64:
        yield "Name: give the role a name of 1 to 64 characters."
    if not isinstance(values.get("Description", ""), str | None):
        yield "Description: write a text."
    for key in values:
        if key in ("DataActions", "NotDataActions"):
            if values[key]:
                yield f"{key}: this studio has no data actions; use Actions."
        elif key not in (*_KNOWN, *_IGNORED):
            near = difflib.get_close_matches(key, _KNOWN, n=1)
            yield f"{key}: unknown key{f'; did you mean {near[0]}?' if near else '.'}"
    for key in ("Actions", "NotActions"):
        yield from _pattern_problems(key, values.get(key, [] if key == "NotActions" else None))
    if not any(True for _ in _list_of_text(values.get("Actions"))):
        return
    grant = Grant("", tuple(_list_of_text(values.get("Actions"))), tuple(_list_of_text(values.get("NotActions"))))
    if not any(grant.allows(action) for action in actions.ALL):
        yield "Actions: this role would allow nothing here."


def _list_of_text(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def _pattern_problems(key: str, value: object) -> Iterator[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        yield f"{key}: write a list of action strings."
        return
    if key == "Actions" and not value:
        yield "Actions: name at least one action."
    if len(value) > MAX_PATTERNS:
        yield f"{key}: at most {MAX_PATTERNS} of them."
    for one in value:
        if not _PATTERN.fullmatch(one):
            yield f"{key}: {one[:80]!r} is no action string."
        elif "*" not in one and one.lower() not in {action.lower() for action in actions.ALL}:
            near = difflib.get_close_matches(one, actions.ALL, n=1, cutoff=0.9)
            if near:
                yield f"{key}: {one!r} is unknown; did you mean {near[0]}?"


def save_role(actor: User, *, text: str, role_id: int | None = None) -> Role:
    """A new role, or other content for one of one's own."""
    require(actor, actions.ROLES_WRITE)
    document = read_role(text)
    with transaction.atomic():
        if Role.objects.filter(name__iexact=document.name).exclude(pk=role_id or 0).exists():
            message = f"Name: there is a role {document.name!r} already."
            raise Conflict(message, details=[FieldError("document", message)])
        row = _own_role(role_id) if role_id else Role()
        before = document_of(row) if role_id else None
        row.name, row.description = document.name, document.description
        row.actions, row.not_actions = list(document.actions), list(document.not_actions)
        row.save()
        require_an_owner_left()
        summary, target = "Change the role" if role_id else "Make the role", f"role {row.name}"
        audit.record(actor, actions.ROLES_WRITE, target=target, summary=summary, before=before, after=document_of(row))
    return row


def delete_role(actor: User, *, role_id: int) -> None:
    """Take away a role nobody holds."""
    require(actor, actions.ROLES_WRITE)
    with transaction.atomic():
        row = _own_role(role_id)
        if holders := row.assignments.count():
            raise Conflict(f"{row.name} is given {holders} time{'s' if holders > 1 else ''}; take that away first.")
        audit.record(actor, actions.ROLES_WRITE, target=f"role {row.name}", summary="Delete the role")
        row.delete()


def _own_role(role_id: int) -> Role:
    row = Role.objects.select_for_update().filter(pk=role_id).first()
    if row is None:
        raise NotFound("This role is gone already.")
    if row.is_builtin:
        raise Conflict(f"{row.name} comes with the studio and stays as it is; make a role of your own from its JSON.")
    return row


def document_of(row: Role) -> dict[str, object]:
    """The role as Azure writes it."""
    return {
        "Name": row.name,
        "Description": row.description,
        "Actions": row.actions,
        "NotActions": row.not_actions,
    }
