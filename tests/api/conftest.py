"""Doors, and a workspace behind them."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from endpoints import services
from endpoints.models import Operation, Upload
from studio.access.models import User
from studio.access.tokens import create_token
from tests.services import world


def door_of(user: User) -> APIClient:
    """A client that carries a token of `user`."""
    client = APIClient(raise_request_exception=False)
    _, secret = create_token(user, name="test")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def door(owner: User) -> APIClient:
    """The owner's."""
    return door_of(owner)


@pytest.fixture
def workspace(owner: User) -> dict[str, object]:
    """Endpoint risk with deployment blue, model forest:1, environment scoring:1; what the addresses need to know."""
    world.endpoint(owner)
    services.register_model(owner, name="forest", upload=world.model(owner))
    services.register_environment(owner, name="scoring", image="base", conda_text=world.CONDA)
    world.deploy(owner, model="azureml:forest:1", environment="azureml:scoring:1")
    upload = services.begin_upload(owner, purpose="model", root_name="m.bin", is_folder=False)
    return {"upload": upload.pk, "operation": Operation.objects.get(kind="CreateDeployment").pk, "uploads": Upload}
