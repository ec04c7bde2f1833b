"""The only place where a permission is decided. It knows users and roles, and nothing of what they act on.

A role allows an action that one of its `actions` matches and none of its own `not_actions` does; another role of
the same person may still allow it. `*` in a pattern matches anything, slashes too, and case never matters, as on Azure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from endpoints.spec.errors import Forbidden
from studio.access.models import RoleAssignment, User

Caller = User | AnonymousUser


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.IGNORECASE | re.DOTALL)


def matches(pattern: str, action: str) -> bool:
    """Whether a role's `pattern` covers the exact `action`."""
    return _pattern(pattern).fullmatch(action) is not None


@dataclass(frozen=True, slots=True)
class Grant:
    """One role as one person holds it. `endpoint` is "" for the whole workspace."""

    role: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    endpoint: str = ""

    def allows(self, action: str) -> bool:
        if not any(matches(pattern, action) for pattern in self.actions):
            return False
        return not any(matches(pattern, action) for pattern in self.not_actions)


@dataclass(frozen=True, slots=True)
class Grants:
    """Everything one person holds, read once: ask it as often as a page has buttons."""

    items: tuple[Grant, ...] = ()

    def allows(self, action: str, endpoint: str = "") -> bool:
        """Whether `action` may be done on `endpoint`, or on the workspace itself where that is ""."""
        return self.reason(action, endpoint) is not None

    def reason(self, action: str, endpoint: str = "") -> Grant | None:
        """The first grant that allows it: the answer to "why may this person do that"."""
        scopes = {"", endpoint}
        return next((grant for grant in self.items if grant.endpoint in scopes and grant.allows(action)), None)

    def endpoints(self, action: str) -> frozenset[str] | None:
        """Names of the endpoints on which `action` is allowed; None where it is allowed on all there are."""
        allowed = [grant.endpoint for grant in self.items if grant.allows(action)]
        return None if "" in allowed else frozenset(allowed)


OWNER = Grant(role="Owner", actions=("*",))


def grants_of(user: Caller) -> Grants:
    """What `user` holds, directly and through groups. One query; none for a superuser."""
    if not user.is_authenticated or not user.is_active:
        return Grants()
    if user.is_superuser:
        return Grants((OWNER,))
    rows = (
        RoleAssignment.objects.filter(Q(user_id=user.pk) | Q(group__user=user.pk))
        .distinct()
        .values_list("role__name", "role__actions", "role__not_actions", "endpoint")
        .order_by("endpoint", "role__name")
    )
    return Grants(tuple(Grant(name, tuple(yes), tuple(no), endpoint) for name, yes, no, endpoint in rows))


def is_allowed(user: Caller, action: str, endpoint: str = "") -> bool:
    """Whether `user` may do `action` on `endpoint` (or on the workspace)."""
    return grants_of(user).allows(action, endpoint)


def require(user: Caller, action: str, endpoint: str = "") -> None:
    """Raise Forbidden, naming the missing action, unless `user` may do it."""
    if is_allowed(user, action, endpoint):
        return
    where = f"endpoint {endpoint!r}" if endpoint else "this workspace"
    raise Forbidden(
        f"You may not do this: the action {action} on {where} is missing from your roles. "
        "Ask an owner of the workspace to assign a role that has it.",
        action=action,
    )
