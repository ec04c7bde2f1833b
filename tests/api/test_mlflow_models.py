"""MLflow models over REST: deployed by a document that names the model alone, refused with a code for programs."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from endpoints.models import DeploymentRevision
from studio.access.models import User
from tests.services import world

pytestmark = pytest.mark.django_db
DEPLOYMENTS = "/api/v1/online-endpoints/risk/deployments"


def document(upload: str) -> dict[str, object]:
    model = {"path": f"upload:{upload}", "type": "mlflow_model"}
    return {"name": "blue", "endpoint_name": "risk", "model": model, "instance_type": world.TYPE}


def test_a_document_of_a_model_alone_is_accepted_and_shown_as_it_is(owner: User, door: APIClient) -> None:
    world.endpoint(owner)
    answer = door.post(DEPLOYMENTS, document(str(world.mlflow_model(owner).pk)), format="json")
    assert answer.status_code in (201, 202), answer.json()
    shown = door.get(f"{DEPLOYMENTS}/blue").json()
    assert shown["model"].startswith("azureml:inline-") and not shown.get("environment")
    revision = DeploymentRevision.objects.select_related("environment_version").get()
    assert revision.environment_version is not None and "mlflow==3.1.0" in revision.environment_version.conda_text


def test_a_broken_model_is_refused_with_its_field_and_a_code(owner: User, door: APIClient) -> None:
    world.endpoint(owner)
    broken = str(world.mlflow_model(owner, conda=b"dependencies: 3").pk)
    answer = door.post(DEPLOYMENTS, document(broken), format="json")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"][0]["field"]) == (400, "BadArgument", "model.path")


def test_registering_what_is_no_mlflow_model_is_refused(owner: User, door: APIClient) -> None:
    files = str(world.model(owner).pk)
    sent = {"name": "churn", "path": f"upload:{files}", "type": "mlflow_model"}
    answer = door.post("/api/v1/models", sent, format="json")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "BadArgument") and "no file MLmodel" in error["message"]
