"""Deployments: what is written, what is refused, and in which words."""

from __future__ import annotations

import pytest

from endpoints import services
from endpoints.models import (
    DeploymentRevision,
    EnvironmentVersion,
    ModelVersion,
    OnlineDeployment,
    Operation,
    RouteFragment,
)
from endpoints.spec.errors import Conflict, Forbidden, Invalid, NotFound, OutOfQuota
from studio.access.models import User
from tests.people import person
from tests.services import world


@pytest.fixture
def deployed(teammate: User) -> OnlineDeployment:
    world.endpoint(teammate)
    world.deploy(teammate)
    return OnlineDeployment.objects.get()


def update(actor: User, **changes: object) -> Operation | None:
    return services.update_deployment(actor, endpoint="risk", name="blue", document=changes)


def test_a_deployment_is_a_row_a_revision_and_an_operation_with_its_steps(teammate: User) -> None:
    world.endpoint(teammate)
    operation = world.deploy(teammate)
    deployment = OnlineDeployment.objects.get()
    assert (deployment.provisioning_state, deployment.revision, deployment.created_by) == ("Creating", 1, teammate)
    assert operation.generation == deployment.generation
    steps = list(operation.steps.values_list("key", "state"))
    assert steps == [
        ("quota", "Succeeded"),
        ("environment", "Pending"),
        ("staged", "Pending"),
        ("started", "Pending"),
        ("ready", "Pending"),
    ]


def test_the_revision_names_versions_and_trees_and_leaves_out_what_the_row_holds(deployed: OnlineDeployment) -> None:
    revision = DeploymentRevision.objects.get()
    assert revision.spec["model"] == revision.model_version.reference  # type: ignore[union-attr]
    assert revision.spec["environment"] == revision.environment_version.reference  # type: ignore[union-attr]
    assert revision.spec["code_configuration"]["code"] == f"tree:{revision.code_digest}"
    assert {"name", "endpoint_name", "instance_count", "tags"}.isdisjoint(revision.spec)


def test_inline_assets_are_registered_once_for_the_same_content(deployed: OnlineDeployment, teammate: User) -> None:
    world.deploy(teammate, name="green")
    assert ModelVersion.objects.count() == EnvironmentVersion.objects.count() == 1
    assert ModelVersion.objects.get().is_anonymous
    world.deploy(teammate, name="red", model={"path": f"upload:{world.model(teammate, b'others').pk}"})
    assert ModelVersion.objects.count() == 2


def test_registered_assets_are_taken_by_version_and_by_label(teammate: User) -> None:
    world.endpoint(teammate)
    for content in (b"one", b"two"):
        services.register_model(teammate, name="sklearn", upload=world.model(teammate, content))
    services.register_environment(teammate, name="scoring", image="base", conda_text=world.CONDA)
    world.deploy(teammate, model="azureml:sklearn@latest", environment="azureml:scoring:1")
    spec = DeploymentRevision.objects.get().spec
    assert (spec["model"], spec["environment"]) == ("azureml:sklearn:2", "azureml:scoring:1")


@pytest.mark.parametrize("field", ["model", "environment"])
def test_a_reference_to_nothing_names_the_field(teammate: User, field: str) -> None:
    world.endpoint(teammate)
    with pytest.raises(Invalid) as refused:
        world.deploy(teammate, **{field: "azureml:nothing:1"})
    assert refused.value.details[0].field == field


def test_a_script_that_does_not_compile_creates_nothing(teammate: User) -> None:
    world.endpoint(teammate)
    bad = {"code": f"upload:{world.code(teammate, b'def init(:').pk}", "scoring_script": "score.py"}
    with pytest.raises(Invalid, match=r"syntax errors in scoring script score\.py\. Error on line 1"):
        world.deploy(teammate, code_configuration=bad)
    assert not OnlineDeployment.objects.exists()
    assert not ModelVersion.objects.exists()


def test_a_script_for_another_python_may_skip_the_check(teammate: User) -> None:
    world.endpoint(teammate)
    bad = {"code": f"upload:{world.code(teammate, b'print 1').pk}", "scoring_script": "score.py"}
    document = world.deployment_document(teammate, code_configuration=bad)
    services.create_deployment(teammate, document=document, skip_script_validation=True)
    assert OnlineDeployment.objects.exists()


def test_a_missing_script_is_told_with_those_that_are_there(teammate: User) -> None:
    world.endpoint(teammate)
    where = {"code": f"upload:{world.code(teammate).pk}", "scoring_script": "main.py"}
    with pytest.raises(Invalid, match=r"Failed to open scoring script main\.py.*It holds score\.py"):
        world.deploy(teammate, code_configuration=where)


def test_paths_on_somebodys_machine_are_refused(teammate: User) -> None:
    world.endpoint(teammate)
    with pytest.raises(Invalid, match="path on your machine"):
        world.deploy(teammate, model={"path": "./model.pkl"})


def test_a_deployment_needs_its_endpoint(teammate: User) -> None:
    with pytest.raises(NotFound, match="no endpoint named 'risk'"):
        world.deploy(teammate)


def test_a_name_is_taken_once(deployed: OnlineDeployment, teammate: User) -> None:
    with pytest.raises(Conflict, match="has a deployment 'blue' already"):
        world.deploy(teammate)


def test_the_same_document_again_changes_nothing_and_says_so(deployed: OnlineDeployment, teammate: User) -> None:
    document = world.deployment_document(teammate)
    assert update(teammate, **document) is None
    deployed.refresh_from_db()
    assert (deployed.generation, deployed.revisions.count(), Operation.objects.count()) == (1, 1, 2)


def test_a_count_alone_makes_no_revision(deployed: OnlineDeployment, teammate: User) -> None:
    operation = update(teammate, instance_count=3)
    deployed.refresh_from_db()
    assert operation and operation.summary == "Change instance count 1 to 3"
    assert (deployed.instance_count, deployed.revision, deployed.generation) == (3, 1, 2)


def test_a_setting_makes_a_revision_and_the_old_one_stays(deployed: OnlineDeployment, teammate: User) -> None:
    operation = update(teammate, environment_variables={"WORKER_COUNT": "2"})
    assert operation and operation.summary == "Change environment variables"
    assert list(deployed.revisions.order_by("number").values_list("number", flat=True)) == [1, 2]
    assert deployed.revisions.get(number=1).spec["environment_variables"] == {}


def test_words_alone_touch_no_instance(deployed: OnlineDeployment, teammate: User) -> None:
    operation = update(teammate, description="the blue one", tags={"team": "risk"})
    deployed.refresh_from_db()
    assert operation and operation.state == "Succeeded"
    assert (deployed.generation, deployed.description) == (1, "the blue one")


def test_a_key_set_to_nothing_returns_to_its_default(deployed: OnlineDeployment, teammate: User) -> None:
    update(teammate, request_settings={"request_timeout_ms": 9000})
    update(teammate, request_settings=None)
    assert deployed.revisions.get(number=3).spec["request_settings"]["request_timeout_ms"] == 5000


def test_a_deployment_keeps_its_name(deployed: OnlineDeployment, teammate: User) -> None:
    with pytest.raises(Invalid, match="keeps its name"):
        update(teammate, name="green")


def test_all_traffic_waits_until_the_deployment_is_ready(teammate: User) -> None:
    world.endpoint(teammate)
    services.create_deployment(teammate, document=world.deployment_document(teammate), all_traffic=True)
    deployment = OnlineDeployment.objects.select_related("endpoint").get()
    assert deployment.traffic_when_ready == {"blue": 100}
    assert deployment.endpoint.traffic == {}


def test_a_deployment_with_traffic_is_not_deleted(deployed: OnlineDeployment, teammate: User) -> None:
    services.set_traffic(teammate, name="risk", traffic={"blue": 100})
    with pytest.raises(Conflict, match='--traffic "blue=0"'):
        services.delete_deployment(teammate, endpoint="risk", name="blue")
    services.set_traffic(teammate, name="risk", traffic={"blue": 0})
    operation = services.delete_deployment(teammate, endpoint="risk", name="blue")
    assert services.delete_deployment(teammate, endpoint="risk", name="blue") == operation
    deployed.refresh_from_db()
    assert (deployed.provisioning_state, deployed.endpoint.traffic) == ("Deleting", {})


def test_a_shadow_is_not_deleted_while_it_is_mirrored_to(deployed: OnlineDeployment, teammate: User) -> None:
    services.set_traffic(teammate, name="risk", traffic={}, mirror_traffic={"blue": 10})
    with pytest.raises(Conflict, match="mirrored"):
        services.delete_deployment(teammate, endpoint="risk", name="blue")


def test_only_what_failed_is_retried(deployed: OnlineDeployment, teammate: User) -> None:
    with pytest.raises(Conflict, match="has not failed"):
        services.retry_deployment(teammate, endpoint="risk", name="blue")
    OnlineDeployment.objects.update(failure={"code": "ResourceNotReady", "message": "It crashed."})
    operation = services.retry_deployment(teammate, endpoint="risk", name="blue")
    assert (operation.kind, operation.generation) == ("RetryDeployment", 2)


def test_more_than_the_quota_is_refused_with_its_arithmetic(teammate: User) -> None:
    world.endpoint(teammate)
    services.set_family_limit(person("root", "Owner"), family="DSv2", limit_cores=48)
    with pytest.raises(OutOfQuota) as refused:
        world.deploy(teammate, instance_count=11)
    assert "11 x Standard_DS3_v2 takes 14 x 4 = 56 cores" in refused.value.message
    assert "10 would fit" in refused.value.message
    world.deploy(teammate, instance_count=10)


def test_shrinking_is_never_refused(teammate: User) -> None:
    world.endpoint(teammate)
    world.deploy(teammate, instance_count=4)
    services.set_family_limit(person("root", "Owner"), family="DSv2", limit_cores=0)
    assert update(teammate, instance_count=2)
    with pytest.raises(OutOfQuota):
        update(teammate, instance_count=3)


def test_an_unknown_instance_type_is_told_with_the_nearest(teammate: User) -> None:
    world.endpoint(teammate)
    with pytest.raises(Invalid, match="Did you mean Standard_DS3_v2"):
        world.deploy(teammate, instance_type="Standard_DS3v2")
    world.deploy(teammate, instance_type="STANDARD_DS3_V2")
    assert OnlineDeployment.objects.get().instance_type == "Standard_DS3_v2"


def test_the_studios_limits_are_kept(teammate: User, settings: object) -> None:
    settings.SLIPWAY_DEFAULTS = {**settings.SLIPWAY_DEFAULTS, "deployments_per_endpoint": 1}  # type: ignore[attr-defined]
    world.endpoint(teammate)
    world.deploy(teammate)
    with pytest.raises(OutOfQuota, match="deployments_per_endpoint"):
        world.deploy(teammate, name="green")


def test_a_reader_is_refused_and_a_stranger_learns_nothing(
    deployed: OnlineDeployment, reader: User, stranger: User
) -> None:
    for call in (services.delete_deployment, services.retry_deployment):
        with pytest.raises(Forbidden):
            call(reader, endpoint="risk", name="blue")
        with pytest.raises(NotFound):
            call(stranger, endpoint="risk", name="blue")
        with pytest.raises(NotFound):
            call(stranger, endpoint="risk", name="none")


def test_a_role_on_one_endpoint_scales_there_only(deployed: OnlineDeployment, owner: User) -> None:
    keeper = person("keeper", "Contributor", endpoint="risk")
    world.endpoint(owner, "fraud")
    with pytest.raises(NotFound):
        services.scale_deployment(keeper, endpoint="fraud", name="blue", instance_count=2)
    assert services.scale_deployment(keeper, endpoint="risk", name="blue", instance_count=2)
    with pytest.raises(Forbidden):  # models are the workspace's
        services.update_deployment(keeper, endpoint="risk", name="blue", document={"model": "azureml:other:1"})


def test_turning_the_second_try_off_restarts_nothing_and_reaches_the_routes(
    deployed: OnlineDeployment, teammate: User
) -> None:
    operation = update(teammate, gateway_settings={"retry": False})
    assert operation and (operation.state, operation.summary) == ("Succeeded", "Change gateway settings")
    assert DeploymentRevision.objects.count() == 1
    assert '"is_retry_allowed":false' in RouteFragment.objects.get(endpoint_name="risk").body
    assert update(teammate, gateway_settings={"retry": False}) is None
