"""The choice between processes and containers."""

from __future__ import annotations

import pytest

from endpoints import services
from endpoints.models import OnlineDeployment
from endpoints.spec.errors import Invalid
from studio.access.models import User
from tests.backends.contract.harness import engine
from tests.services.world import deploy, endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


def backend_of(name: str = "blue") -> str:
    return OnlineDeployment.objects.get(name=name).backend


def test_a_deployment_runs_where_the_workspace_says(owner: User):
    endpoint(owner)
    deploy(owner)
    assert backend_of() == "process"


def test_docker_is_refused_where_no_engine_answers_and_the_way_out_is_told(owner: User, no_engine: None):
    endpoint(owner)
    with pytest.raises(Invalid, match=r"engine does not answer.*leave 'backend' out") as refused:
        deploy(owner, backend="docker")
    assert refused.value.details[0].field == "backend"


def test_a_workspace_setting_that_names_no_backend_is_told(owner: User, settings):
    settings.SLIPWAY_BACKEND = "podman"
    endpoint(owner)
    with pytest.raises(Invalid, match="SLIPWAY_BACKEND names no backend: 'podman'"):
        deploy(owner)


def test_a_backend_that_does_not_exist_is_refused_by_name(owner: User):
    endpoint(owner)
    with pytest.raises(Invalid, match="backend"):
        deploy(owner, backend="podman")


def test_a_deployment_keeps_its_backend(owner: User):
    endpoint(owner)
    deploy(owner)
    with pytest.raises(Invalid, match="keeps its backend: 'process' cannot become 'docker'"):
        services.update_deployment(owner, endpoint="risk", name="blue", document={"backend": "docker"})


@pytest.mark.docker
def test_the_workspace_and_the_document_choose_docker_where_an_engine_answers(owner: User, settings):
    engine()
    endpoint(owner)
    deploy(owner, backend="docker")
    settings.SLIPWAY_BACKEND = "docker"
    deploy(owner, name="green")
    assert (backend_of("blue"), backend_of("green")) == ("docker", "docker")


OWN_SERVER = {
    "image": "tensorflow/serving:latest",
    "inference_config": {
        "liveness_route": {"port": 8501, "path": "/v1/models/half"},
        "readiness_route": {"port": 8501, "path": "/v1/models/half"},
        "scoring_route": {"port": 8501, "path": "/v1/models/half:predict"},
    },
}


def test_an_image_with_its_own_server_is_refused_for_processes_and_told_how_it_can_run(owner: User):
    endpoint(owner)
    with pytest.raises(Invalid, match=r"server of its own.*Add 'backend: docker'") as refused:
        deploy(owner, environment=OWN_SERVER, code_configuration=None)
    assert refused.value.details[0].field == "environment"


def test_a_mount_path_for_the_model_is_refused_for_processes(owner: User):
    endpoint(owner)
    with pytest.raises(Invalid, match=r"model_mount_path: Only containers"):
        deploy(owner, model_mount_path="/models")


@pytest.mark.docker
def test_an_image_with_its_own_server_needs_no_code_in_a_container(owner: User):
    engine()
    endpoint(owner)
    deploy(owner, backend="docker", environment=OWN_SERVER, code_configuration=None, model_mount_path="/models")
    revision = OnlineDeployment.objects.get(name="blue").revisions.get()
    assert (revision.code_digest, revision.spec["model_mount_path"]) == ("", "/models")


def test_a_type_with_gpus_is_refused_before_anything_is_created_where_containers_can_get_none(
    owner: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("endpoints.services.backends.backend_trouble", lambda _: "")
    monkeypatch.setattr("endpoints.services.backends.gpus_on", {"docker": 0, "process": None}.get)
    endpoint(owner)
    with pytest.raises(Invalid, match=r"NC4as_T4_v3 has 1 GPU \(T4 16 GB\).*host has none") as refused:
        deploy(owner, backend="docker", instance_type="Standard_NC4as_T4_v3")
    assert refused.value.details[0].field == "instance_type"
    assert not OnlineDeployment.objects.exists()
    deploy(owner, backend="process", instance_type="Standard_NC4as_T4_v3")


@pytest.mark.docker
def test_an_engine_without_gpus_refuses_a_type_with_one(owner: User):
    engine()
    endpoint(owner)
    with pytest.raises(Invalid, match="install NVIDIA's container toolkit there"):
        deploy(owner, backend="docker", instance_type="Standard_NV6ads_A10_v5")
