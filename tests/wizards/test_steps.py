"""Each step is judged where it stands: what is wrong, and what to do."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.http import QueryDict

from endpoints import services
from endpoints.models import FamilyQuota, ModelVersion, OnlineEndpoint
from studio.access.models import User
from studio.wizards import files, progress
from studio.wizards.answers import Answers
from studio.wizards.steps.compute import ComputeStep
from studio.wizards.steps.environment import EnvironmentStep
from studio.wizards.steps.traffic import TrafficStep
from tests.wizards.conftest import SCRIPT, form_of, register_model, stored


def test_a_complete_draft_leads_to_the_review(owner: User, model: ModelVersion) -> None:
    reached = progress.read(owner, stored(), {})
    assert reached.is_complete
    assert reached.answers.environment is not None
    assert reached.answers.environment.reference == "azureml:sklearn:1"


@pytest.mark.parametrize("name", ["ab", "9lives", "under_score", "a" * 33])
def test_an_endpoint_name_against_the_rules_is_refused(owner: User, name: str) -> None:
    assert "name" in form_of(owner, "endpoint", name=name).errors


def test_a_taken_endpoint_name_is_refused_in_any_case(owner: User, endpoint: OnlineEndpoint) -> None:
    (error,) = form_of(owner, "endpoint", name="RISK").errors["name"]
    assert "already" in error


def test_a_taken_deployment_name_is_refused(owner: User, model: ModelVersion, endpoint: OnlineEndpoint) -> None:
    endpoint.deployments.create(name="blue", instance_type="Standard_DS3_v2")
    form = form_of(owner, "endpoint", target="existing", existing="risk", deployment="Blue")
    assert "already" in form.errors["deployment"][0]


def test_a_colour_that_is_free_is_suggested(owner: User, endpoint: OnlineEndpoint) -> None:
    endpoint.deployments.create(name="blue", instance_type="Standard_DS3_v2")
    form = progress.STEPS["endpoint"](user=owner, so_far=Answers(), wish={"endpoint": "risk"}, prefix="endpoint")
    assert (form["existing"].value(), form["deployment"].value()) == ("risk", "green")


def test_a_link_may_bring_the_model(owner: User, model: ModelVersion) -> None:
    form = progress.STEPS["model"](user=owner, so_far=Answers(), wish={"model": "azureml:diabetes:1"}, prefix="model")
    assert (form["source"].value(), form["registered"].value()) == ("registered", "diabetes:1")


def test_an_archived_model_is_not_offered(owner: User, model: ModelVersion) -> None:
    services.archive_model(owner, name="diabetes")
    assert "registered" in form_of(owner, "model").errors


def test_an_upload_needs_files_and_a_name(owner: User) -> None:
    errors = form_of(owner, "model", source="upload", registered="").errors
    assert set(errors) == {"upload", "name"}


def test_another_persons_upload_does_not_exist(owner: User, stranger: User) -> None:
    theirs = files.store_script(owner, "score.py", b"")
    assert files.find(stranger, theirs.id, "code") is None


def test_an_empty_version_becomes_the_next_one(owner: User, model: ModelVersion) -> None:
    upload = services.upload_from_files(owner, files=[("m.pkl", BytesIO(b"2"))], purpose="model")
    form = form_of(owner, "model", source="upload", upload=str(upload.pk), name="diabetes")
    assert form.is_valid(), form.errors
    answer = form.extend(Answers()).model
    assert answer is not None
    assert answer.reference == "azureml:diabetes:2"


def test_a_taken_version_is_refused_with_the_next_one(owner: User, model: ModelVersion) -> None:
    upload = services.upload_from_files(owner, files=[("m.pkl", BytesIO(b"2"))], purpose="model")
    form = form_of(owner, "model", source="upload", upload=str(upload.pk), name="diabetes", version="1")
    assert "the next is 2" in form.errors["version"][0]


def test_a_script_that_does_not_compile_says_the_line(owner: User, model: ModelVersion) -> None:
    form = form_of(owner, "environment", script="def init():\n  pass\ndef run(x:\n  pass\n")
    assert "Line 3" in form.errors["script"][0]


def test_a_conda_file_that_does_not_parse_says_the_line(owner: User, model: ModelVersion) -> None:
    form = form_of(owner, "environment", conda="dependencies:\n  - python=3.11\n - pip\n")
    assert "line 3" in form.errors["conda"][0]


def test_a_line_that_is_no_variable_is_named(owner: User, model: ModelVersion) -> None:
    form = form_of(owner, "environment", variables="A=1\nnot a variable\n")
    assert "Line 2" in form.errors["variables"][0]


def test_uploaded_code_finds_its_scoring_script(owner: User, model: ModelVersion) -> None:
    pairs = [("app/deep/score.py", BytesIO(SCRIPT.encode())), ("app/other.py", BytesIO(b""))]
    upload = services.upload_from_files(owner, files=pairs, purpose="code")
    form = form_of(owner, "environment", code="upload", upload=str(upload.pk))
    assert form.is_valid(), form.errors
    code = form.extend(Answers()).code
    assert code is not None
    assert code.scoring_script == "deep/score.py"


def test_uploaded_code_without_a_script_says_what_it_holds(owner: User, model: ModelVersion) -> None:
    pairs = [("app/one.py", BytesIO(b"")), ("app/two.py", BytesIO(b""))]
    upload = services.upload_from_files(owner, files=pairs, purpose="code")
    form = form_of(owner, "environment", code="upload", upload=str(upload.pk))
    assert "one.py, two.py" in form.errors["scoring_script"][0]


def test_the_script_begins_as_a_starter_for_the_model(owner: User, model: ModelVersion) -> None:
    so_far = progress.read(owner, stored("environment"), {}).answers
    form = EnvironmentStep(user=owner, so_far=so_far, wish={}, prefix="environment")
    assert '"model.pkl"' in str(form["script"].value())


def test_too_many_instances_are_refused_with_what_would_fit(owner: User, model: ModelVersion) -> None:
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=40)
    form = form_of(owner, "compute", instance_count="10")
    assert "instance_count" in form.errors
    assert isinstance(form, ComputeStep)
    quota = form.sum
    assert quota is not None
    assert (quota.counted, quota.needed, quota.free, quota.most) == (12, 48, 40, 8)


def test_a_gpu_this_host_lacks_is_refused(owner: User, model: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.wizards.capacity.has_nvidia_gpu", lambda: False)
    form = form_of(owner, "compute", instance_type="Standard_NC4as_T4_v3")
    assert "No GPU on this host" in form.errors["instance_type"][0]


def test_settings_that_are_the_defaults_are_left_out(owner: User, model: ModelVersion) -> None:
    form = form_of(owner, "compute", request_timeout_ms="5000", liveness_period="20", readiness_timeout="")
    assert form.is_valid(), form.errors
    compute = form.extend(Answers()).compute
    assert compute is not None
    assert (dict(compute.request_settings), dict(compute.liveness_probe)) == ({}, {"period": 20})


def test_a_timeout_beyond_the_limit_is_refused(owner: User, model: ModelVersion) -> None:
    assert "request_timeout_ms" in form_of(owner, "compute", request_timeout_ms="180001").errors


def test_a_part_of_live_traffic_is_taken_from_the_others(
    owner: User, model: ModelVersion, endpoint: OnlineEndpoint
) -> None:
    endpoint.deployments.create(name="old", instance_type="Standard_DS3_v2")
    OnlineEndpoint.objects.update(traffic={"old": 100})
    first = {"target": "existing", "existing": "risk", "deployment": "green"}
    so_far = progress.read(owner, stored("traffic", endpoint=first), {}).answers
    sent = QueryDict("traffic-share=part&traffic-percent=10")
    form = TrafficStep(data=sent, prefix="traffic", user=owner, so_far=so_far, wish={})
    assert form.is_valid(), form.errors
    assert form.answer().traffic == {"old": 90, "green": 10}


def test_a_part_of_nothing_is_not_offered(owner: User, model: ModelVersion) -> None:
    assert "share" in form_of(owner, "traffic", share="part", percent="10").errors


def test_a_step_counts_only_while_those_before_it_hold(owner: User, model: ModelVersion) -> None:
    services.archive_model(owner, name="diabetes")
    reached = progress.read(owner, stored(), {})
    assert (reached.open_step, reached.done) == ("model", frozenset({"endpoint"}))


def test_several_versions_are_offered_newest_first(owner: User, model: ModelVersion) -> None:
    register_model(owner, "diabetes", b"better")
    form = progress.STEPS["model"](user=owner, so_far=Answers(), wish={}, prefix="model")
    (group,) = form.fields["registered"].choices  # type: ignore[attr-defined]
    assert [value for value, _ in group[1]] == ["diabetes:2", "diabetes:1"]


def test_the_shared_pool_is_offered_where_the_limit_has_no_room(owner: User) -> None:
    services.set_family_limit(owner, family="DSv2", limit_cores=0, pool_cores=16)
    assert "instance_count" in form_of(owner, "compute").errors
    form = form_of(owner, "compute", shared_pool_hours="8")
    assert form.is_valid(), form.errors
    compute = form.extend(Answers()).compute
    assert compute is not None and compute.shared_pool_hours == 8
    assert "shared_pool_hours" in form_of(owner, "compute", shared_pool_hours="25").errors
    assert "instance_count" in form_of(owner, "compute", shared_pool_hours="8", instance_count="9").errors
