"""People with names, for tests of who may do what."""

from __future__ import annotations

from studio.access.models import User
from studio.access.roles import assign


def person(name: str, *roles: str, endpoint: str = "") -> User:
    """A user with the roles named, for the workspace or for one endpoint."""
    user = User.objects.create_user(name, email=f"{name}@example.org")
    for role in roles:
        assign(role, user, endpoint=endpoint)
    return user
