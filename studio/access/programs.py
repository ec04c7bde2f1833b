"""Accounts of the studio's own programs: what acts by itself does so under a name, with a role, and leaves a trail.

Nobody can sign in as one of them: they have no password and no token.
"""

from __future__ import annotations

from studio.access.models import RoleAssignment, User
from studio.access.roles import AUTOMATION, assign

AUTOSCALER = "autoscaler"
# They are no people: nobody invites them or gives them roles.
PROGRAMS = (AUTOSCALER,)


def program(name: str) -> User:
    """The account of the program `name`, made when it first acts. Raises LookupError where a person has that name."""
    user, is_new = User.objects.get_or_create(username=name, defaults={"first_name": "Slipway", "password": "!"})
    if is_new:
        assign(AUTOMATION.name, user)
    elif user.has_usable_password() and not RoleAssignment.objects.filter(user=user, role__name=AUTOMATION.name):
        raise LookupError(f"The account {name!r} belongs to a person; rename it, the studio's own program needs it.")
    return user
