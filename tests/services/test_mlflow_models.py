"""MLflow models: refused early where they cannot be served, and served without code or environment of the user's."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints import services
from endpoints.backends.base import Runtime
from endpoints.control import targets
from endpoints.models import DeploymentRevision, EnvironmentVersion
from endpoints.spec.errors import Invalid, UnusableModel
from studio.access import actions
from studio.access.models import Role, User
from tests.backends.contract.harness import engine
from tests.people import person
from tests.services import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor(owner: User) -> User:
    world.endpoint(owner)
    return owner


def bare(actor: User, **changes: object) -> dict[str, Any]:
    """The document of a deployment that is an MLflow model and nothing else."""
    model = {"path": f"upload:{world.mlflow_model(actor).pk}", "type": "mlflow_model"}
    none: dict[str, object] = {"model": model, "code_configuration": None, "environment": None}
    return world.deployment_document(actor, **{**none, **changes})


def create(actor: User, **changes: object) -> DeploymentRevision:
    services.create_deployment(actor, document=bare(actor, **changes))
    revision: DeploymentRevision = DeploymentRevision.objects.select_related("environment_version").latest("pk")
    return revision


def entry_script(revision: DeploymentRevision) -> str:
    return targets.template(revision, Runtime(key="k")).entry_script


def test_a_model_alone_is_enough_and_brings_its_environment(actor: User):
    revision = create(actor)
    environment = revision.environment_version
    assert environment is not None and environment.is_anonymous
    assert environment.conda == {"dependencies": ["python=3.11", {"pip": ["mlflow==3.1.0"]}]}
    assert entry_script(revision) == "builtin:mlflow"
    assert "environment" not in services.document_of(revision) or not services.document_of(revision)["environment"]


def test_deployments_of_models_with_one_environment_share_it(actor: User):
    first, second = create(actor), create(actor, name="green")
    assert first.environment_version == second.environment_version
    assert EnvironmentVersion.objects.count() == 1


def test_another_model_brings_its_own_environment(actor: User):
    create(actor)
    other = world.mlflow_model(actor, conda=world.MLFLOW_CONDA.replace(b"3.1.0", b"2.22.0"))
    registered = services.register_model(actor, name="newer", upload=other, type="mlflow_model")
    services.update_deployment(
        actor, endpoint="risk", name="blue", document={"model": f"azureml:{registered.model.name}:1"}
    )
    revision = DeploymentRevision.objects.select_related("environment_version").latest("pk")
    assert revision.number == 2 and revision.environment_version is not None
    assert "2.22.0" in revision.environment_version.conda_text


def test_writing_the_same_again_changes_nothing(actor: User):
    document = bare(actor)
    services.create_deployment(actor, document=document)
    assert services.update_deployment(actor, endpoint="risk", name="blue", document=document) is None


def test_a_named_environment_wins_over_the_models_own(actor: User):
    revision = create(actor, environment={"conda_file": world.CONDA})
    assert revision.environment_version is not None and "joblib" in revision.environment_version.conda_text
    assert entry_script(revision) == "builtin:mlflow"


def test_a_script_wins_over_ours(actor: User):
    code = {"code": f"upload:{world.code(actor).pk}", "scoring_script": "score.py"}
    revision = create(actor, code_configuration=code, environment={"conda_file": world.CONDA})
    assert entry_script(revision) == "score.py"


@pytest.mark.docker
def test_an_image_with_its_own_server_gets_no_script(actor: User):
    engine()
    route = {"port": 8080, "path": "/"}
    config = {"liveness_route": route, "readiness_route": route, "scoring_route": route}
    revision = create(actor, environment={"image": "mlserver", "inference_config": config}, backend="docker")
    assert entry_script(revision) == ""


def test_who_may_deploy_a_registered_model_needs_no_right_to_write_environments(actor: User):
    services.register_model(actor, name="churn", upload=world.mlflow_model(actor), type="mlflow_model")
    Role.objects.create(name="Operator", actions=["*/read", actions.DEPLOYMENTS_WRITE])
    operator = person("otto", "Operator")
    services.create_deployment(operator, document=bare(actor, model="azureml:churn:1"))
    assert EnvironmentVersion.objects.get().created_by == operator


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"mlmodel": b"flavors: ["}, "MLmodel cannot be read: Not valid YAML"),
        ({"mlmodel": b"flavors: {spark: {}}"}, "no python_function flavour"),
        ({"conda": b"dependencies: 3"}, "conda.yaml cannot be used"),
        ({"conda": b"\xff\xfe"}, "conda.yaml cannot be read: it is not UTF-8 text"),
        ({"conda": b"#" * (1024 * 1024 + 1)}, "conda.yaml is larger than 1024 KiB"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused_at_its_field(actor: User, files: dict[str, bytes], message: str):
    source = {"path": f"upload:{world.mlflow_model(actor, **files).pk}", "type": "mlflow_model"}
    with pytest.raises(UnusableModel) as refused:
        services.create_deployment(actor, document=bare(actor, model=source))
    assert refused.value.code == "BadArgument"
    (detail,) = refused.value.details
    assert detail.field == "model.path" and message in detail.message


def test_what_is_no_mlflow_model_cannot_be_registered_as_one(actor: User):
    with pytest.raises(UnusableModel, match="path: The model has no file MLmodel"):
        services.register_model(actor, name="churn", upload=world.model(actor), type="mlflow_model")


def test_a_model_without_the_python_flavour_may_be_registered_for_a_script(actor: User):
    spark = world.mlflow_model(actor, mlmodel=b"flavors: {spark: {}}")
    services.register_model(actor, name="churn", upload=spark, type="mlflow_model")
    with pytest.raises(UnusableModel) as refused:
        services.create_deployment(actor, document=bare(actor, model="azureml:churn:1"))
    assert refused.value.details[0].field == "model"


def test_a_custom_model_alone_is_still_not_enough(actor: User):
    services.register_model(actor, name="churn", upload=world.model(actor))
    with pytest.raises(Invalid, match="code_configuration"):
        services.create_deployment(actor, document=bare(actor, model="azureml:churn:1"))
