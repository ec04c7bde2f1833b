"""People with names, and a workspace for them to look at."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import OnlineEndpoint
from studio.access.models import User
from studio.access.roles import assign
from tests.pages import world


@pytest.fixture
def olivia(db: None) -> User:
    """The owner of the workspace."""
    return world.person("olivia", is_superuser=True)


@pytest.fixture
def rafael(db: None) -> User:
    """May read everything but keys, and change nothing."""
    reader = world.person("rafael")
    assign("Reader", reader)
    return reader


@pytest.fixture
def stefan(db: None) -> User:
    """A stranger: may sign in and nothing else."""
    return world.person("stefan")


@pytest.fixture
def risk(olivia: User) -> OnlineEndpoint:
    """The endpoint diabetes-risk in a full workspace."""
    return world.workspace(olivia)


def visiting(user: User | None, **headers: str) -> Client:
    """A browser in which `user` has signed in."""
    client = Client(headers=headers)
    if user is not None:
        client.force_login(user)
    return client
