"""`deployment.yml` as a value."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.spec.documents import (
    AssetReference,
    FileLocation,
    InlineEnvironment,
    InlineModel,
    LocationKind,
    OnlineDeploymentDocument,
)
from endpoints.spec.errors import FieldError, Invalid

ARTICLE = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: my-endpoint
model:
  path: ../../model-1/model/
code_configuration:
  code: ../../model-1/onlinescoring/
  scoring_script: score.py
environment:
  conda_file: ../../model-1/environment/conda.yaml
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest
instance_type: Standard_DS3_v2
instance_count: 1
"""
SMALLEST: dict[str, object] = {
    "name": "blue",
    "endpoint_name": "my-endpoint",
    "model": "azureml:m:1",
    "environment": "azureml:e:1",
    "instance_type": "Standard_DS3_v2",
}


def read(**fields: Any) -> OnlineDeploymentDocument:
    return OnlineDeploymentDocument.read({**SMALLEST, **fields})


def errors(**fields: Any) -> dict[str, str]:
    """Field -> message of what is wrong with the smallest document and `fields` (None leaves a field out)."""
    values = {key: value for key, value in {**SMALLEST, **fields}.items() if value is not None}
    with pytest.raises(Invalid) as caught:
        OnlineDeploymentDocument.read(values)
    return {error.field: error.message for error in caught.value.details}


def test_the_articles_document_is_read_as_it_is():
    document = OnlineDeploymentDocument.read_text(ARTICLE)
    assert isinstance(document.model, InlineModel)
    assert document.model.path == FileLocation(LocationKind.PATH, "../../model-1/model/")
    assert isinstance(document.environment, InlineEnvironment)
    assert document.environment.conda_file == "../../model-1/environment/conda.yaml"
    assert document.code_configuration and document.code_configuration.scoring_script == "score.py"


def test_defaults_are_azures():
    document = read()
    assert document.instance_count == 1
    assert document.request_settings.request_timeout_ms == 5000
    assert document.request_settings.max_concurrent_requests_per_instance == 1
    assert document.request_settings.max_queue_wait_ms == 500
    probe = document.liveness_probe
    assert (probe.initial_delay, probe.period, probe.timeout) == (10, 10, 2)
    assert (probe.success_threshold, probe.failure_threshold) == (1, 30)
    assert document.egress_public_network_access == "enabled"
    assert document.app_insights_enabled is False


def test_the_normalised_form_reads_back_to_the_same_value():
    document = OnlineDeploymentDocument.read_text(ARTICLE)
    assert OnlineDeploymentDocument.read(document.to_json()) == document


def test_all_errors_of_a_document_are_told_at_once_with_their_lines():
    text = ARTICLE.replace("instance_count: 1", "instance_count: many").replace("name: blue", "name: b", 1)
    with pytest.raises(Invalid) as caught:
        OnlineDeploymentDocument.read_text(text + "request_settings:\n  request_timeout_ms: 3600001\n", name="blue.yml")
    found = [(error.line, error.field) for error in caught.value.details]
    assert found == [(2, "name"), (13, "instance_count"), (15, "request_settings.request_timeout_ms")]
    assert caught.value.message == "The online deployment document in blue.yml has 3 errors."


def test_an_unknown_key_names_the_nearest_known_one():
    assert errors(instance_counts=2) == {
        "instance_counts": "Unknown key 'instance_counts'; did you mean 'instance_count'?"
    }
    found = errors(readiness_probe={"initial_dely": 3})
    assert found == {"readiness_probe.initial_dely": "Unknown key 'initial_dely'; did you mean 'initial_delay'?"}


def test_an_unknown_key_like_nothing_lists_the_known_ones():
    message = errors(request_settings={"zzz": 1})["request_settings.zzz"]
    assert message.startswith("Unknown key 'zzz'. Known keys: request_timeout_ms, ")


def test_startup_probe_is_unknown_and_says_what_to_use():
    assert "readiness_probe" in errors(startup_probe={})["startup_probe"]


def test_missing_and_null_fields_are_told_in_azures_words():
    assert errors(name=None) == {"name": "Missing data for required field."}
    with pytest.raises(Invalid) as caught:
        OnlineDeploymentDocument.read({**SMALLEST, "tags": None})
    assert caught.value.details == (FieldError("tags", "Field may not be null."),)


def test_a_managed_deployment_names_an_instance_type():
    assert errors(instance_type=None) == {"instance_type": "Missing data for required field."}
    assert read(type="kubernetes").type == "kubernetes"


@pytest.mark.parametrize(("written", "read_as"), [("5", 5), (5.7, 5), (3, 3)])
def test_numbers_are_read_as_azure_reads_them(written: object, read_as: int):
    assert read(instance_count=written).instance_count == read_as


@pytest.mark.parametrize("written", ["5.7", "x", True, [1], float("inf"), float("nan")])
def test_what_is_no_number_is_refused(written: object):
    assert errors(instance_count=written) == {"instance_count": "Not a valid integer."}


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_count_out_of_range_is_refused(count: int):
    assert "instance_count" in errors(instance_count=count)


def test_zero_in_request_settings_stands_for_the_default():
    settings = read(request_settings={"request_timeout_ms": 0, "max_queue_wait_ms": "0"}).request_settings
    assert (settings.request_timeout_ms, settings.max_queue_wait_ms) == (5000, 500)


def test_environment_variables_of_any_type_become_text():
    variables = read(environment_variables={"WORKER_COUNT": 2, "DEBUG": True, "RATE": 0.5}).environment_variables
    assert variables == {"WORKER_COUNT": "2", "DEBUG": "True", "RATE": "0.5"}


def test_an_environment_variable_without_a_usable_name_is_refused():
    assert "environment_variables" in errors(environment_variables={"A=B": 1})


def test_references_are_read_and_labels_kept():
    assert read(model="azureml:m@latest").model == AssetReference("m", label="latest")


def test_a_reference_without_a_version_is_refused_in_azures_words():
    message = "Failed to extract version when parsing asset azureml:m. Version must be provided."
    assert errors(model="azureml:m") == {"model": message}


def test_a_bare_name_says_how_to_write_it():
    assert "write azureml:m:1 " in errors(model="m:1")["model"]


def test_managed_deployments_refuse_kubernetes_resources():
    found = errors(resources={"limits": {"cpu": "1"}})
    assert "resources" in found


def test_the_2021_scale_settings_say_what_to_write():
    found = errors(scale_settings={"scale_type": "manual", "instance_count": 2})
    assert set(found) == {"scale_settings.scale_type", "scale_settings.instance_count"}


def test_kubernetes_amounts_must_be_strings_and_the_gpu_key_has_two_spellings():
    resources = {"limits": {"nvidia.com/gpu": "1"}}
    document = read(type="kubernetes", resources=resources)
    assert document.resources and document.resources.limits and document.resources.limits.gpu == "1"
    found = errors(type="kubernetes", resources={"requests": {"cpu": 0.1}})
    assert found == {"resources.requests.cpu": "Not a valid string."}


def test_the_data_collectors_enabled_is_a_word_and_a_boolean_is_refused():
    collections = {"model_inputs": {"enabled": True}}
    found = errors(data_collector={"collections": collections, "sampling_rate": 2})
    assert (
        found["data_collector.collections.model_inputs.enabled"] == "Value True passed is not in set ['true', 'false']"
    )
    assert found["data_collector.sampling_rate"] == "Sampling rate must be an number in range (0.0-1.0)"


def test_a_liveness_probe_cannot_ask_for_two_successes():
    assert "liveness_probe.success_threshold" in errors(liveness_probe={"success_threshold": 2})
    assert read(readiness_probe={"success_threshold": 2}).readiness_probe.success_threshold == 2


def test_code_needs_an_environment_and_an_mlflow_model_needs_none():
    code = {"code": "src", "scoring_script": "score.py"}
    assert errors(environment=None, code_configuration=code) == {"environment": "Missing data for required field."}
    model = {"path": "m", "type": "mlflow_model"}
    values = {key: value for key, value in SMALLEST.items() if key != "environment"}
    assert OnlineDeploymentDocument.read({**values, "model": model}).environment is None


def test_an_empty_scoring_script_is_refused_in_azures_words():
    found = errors(code_configuration={"code": "src", "scoring_script": " "})
    assert found == {"code_configuration.scoring_script": "scoring script can't be empty"}


def test_names_ignore_case():
    document = read(name="Blue", endpoint_name="My-Endpoint")
    assert (document.name, document.endpoint_name) == ("blue", "my-endpoint")


def test_read_only_keys_are_ignored():
    assert read(provisioning_state="Succeeded", id="x") == read()


def test_uploads_and_trees_stand_where_paths_do():
    document = read(model={"path": "upload:1f"}, code_configuration={"code": "tree:ab", "scoring_script": "s.py"})
    assert isinstance(document.model, InlineModel) and document.model.path.kind is LocationKind.UPLOAD
    assert document.to_json()["code_configuration"]["code"] == "tree:ab"


def test_a_small_machine_is_warned_about():
    assert "Standard_DS3_v2" in read(instance_type="STANDARD_DS1_V2").warnings()[0]
    assert read().warnings() == ()
