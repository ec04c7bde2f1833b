"""The wizard for a model that needs no script, and for an image that brings its server."""

from __future__ import annotations

import pytest

from endpoints import services
from endpoints.models import DeploymentRevision, ModelVersion
from studio.access.models import User
from studio.wizards import documents, progress
from studio.wizards.creation import create
from studio.wizards.steps.environment import EnvironmentStep
from tests.services import world
from tests.wizards.conftest import SCRIPT, form_of, stored, typed

NOTHING = {"environment": "model", "code": "none"}


@pytest.fixture
def mlflow(owner: User) -> ModelVersion:
    """A registered MLflow model under the name the typed draft deploys."""
    return services.register_model(owner, name="diabetes", upload=world.mlflow_model(owner), type="mlflow_model")


def step(user: User) -> EnvironmentStep:
    """The step as it is first shown."""
    before = progress.read(user, stored("environment"), {}).before["environment"]
    return EnvironmentStep(user=user, so_far=before, wish={}, prefix="environment")


def test_an_mlflow_model_is_offered_to_bring_everything(owner: User, mlflow: ModelVersion) -> None:
    form = step(owner)
    assert (form["environment"].value(), form["code"].value()) == ("model", "none")
    assert "mlflow==3.1.0" in form.brought_environment


def test_another_model_is_offered_no_such_thing(owner: User, model: ModelVersion) -> None:
    form = step(owner)
    assert "model" not in dict(form.fields["environment"].choices)  # type: ignore[attr-defined]
    assert "none" not in dict(form.fields["code"].choices)  # type: ignore[attr-defined]
    refused = form_of(owner, "environment", **NOTHING)
    assert refused.errors["environment"] and refused.errors["code"]


def test_what_mlflow_saved_under_another_type_is_pointed_at(owner: User) -> None:
    services.register_model(owner, name="diabetes", upload=world.mlflow_model(owner))
    model = step(owner).so_far.model
    assert model is not None and model.has_mlmodel and not model.is_mlflow


def test_a_draft_without_code_is_complete_and_creates_what_its_review_shows(owner: User, mlflow: ModelVersion) -> None:
    reached = progress.read(owner, stored(environment=NOTHING), {})
    assert reached.is_complete
    package = documents.package(reached.answers)
    (text,) = [file.text for file in package.files if file.name == "blue.yml"]
    assert "environment:" not in text and "code_configuration" not in text and "model: azureml:diabetes:1" in text
    assert [file.name for file in package.files] == ["endpoint.yml", "blue.yml"]
    create(owner, reached.answers)
    revision = DeploymentRevision.objects.get()
    assert revision.environment_version is not None and revision.code_digest == ""


def test_a_script_of_ones_own_needs_a_named_environment(owner: User, mlflow: ModelVersion) -> None:
    form = form_of(owner, "environment", environment="model", code="editor", script=SCRIPT)
    assert "needs an environment that you name" in form.errors["environment"][0]
    assert form_of(owner, "environment").is_valid()  # a conda file and a script: the script wins


def test_a_named_environment_may_serve_an_mlflow_model_without_a_script(owner: User, mlflow: ModelVersion) -> None:
    assert form_of(owner, "environment", code="none").is_valid()


def test_a_model_that_cannot_be_served_without_code_says_why_at_once(owner: User) -> None:
    upload = world.mlflow_model(owner, mlmodel=b"flavors: {spark: {}}")
    services.register_model(owner, name="diabetes", upload=upload, type="mlflow_model")
    (error,) = form_of(owner, "environment", **NOTHING).errors["environment"]
    assert "no python_function flavour" in error


def test_files_that_are_no_mlflow_model_are_refused_where_they_are_uploaded(owner: User) -> None:
    upload = str(world.model(owner).pk)
    sent = typed("model", source="upload", upload=upload, name="new", type="mlflow_model")
    form = progress.STEPS["model"](
        data=sent, prefix="model", user=owner, so_far=progress.read(owner, {}, {}).answers, wish={}
    )
    assert "has no file MLmodel" in form.errors["upload"][0]


def test_an_environment_with_a_server_of_its_own_needs_no_script(owner: User, model: ModelVersion) -> None:
    route = {"port": 8080, "path": "/"}
    routes = {"liveness_route": route, "readiness_route": route, "scoring_route": route}
    services.register_environment(owner, name="nginx", image="nginx", inference_config=routes)
    services.register_environment(owner, name="plain", image="python")
    assert "none" in dict(step(owner).fields["code"].choices)  # type: ignore[attr-defined]
    chosen = {"environment": "registered", "code": "none"}
    assert form_of(owner, "environment", registered="nginx:1", **chosen).is_valid()
    assert "a server of its own" in form_of(owner, "environment", registered="plain:1", **chosen).errors["code"][0]
