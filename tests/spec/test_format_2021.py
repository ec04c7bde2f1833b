"""Documents of 2021 become those of today, with the lines they were written on."""

from __future__ import annotations

import pytest

from endpoints.spec.documents import AssetReference, OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.errors import Invalid
from endpoints.spec.format_2021 import convert_deployment, convert_endpoint, convert_model, holds_deployments
from endpoints.spec.yaml_reader import SourceDocument, read_yaml

ARTICLE = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json
name: my-endpoint
type: online
auth_mode: key
traffic:
  blue: 100
deployments:
  - name: blue
    app_insights_enabled: true
    model:
      name: sklearn-model
      version: 1
      local_path: ../model-1/model/
    code_configuration:
      code:
        local_path: ../model-1/onlinescoring/
      scoring_script: score.py
    environment:
      name: sklearn-env
      version: 1
      path: .
      conda_file: file:../model-1/environment/conda.yml
      docker:
        image: mcr.microsoft.com/azureml/openmpi3.1.2-ubuntu18.04:20210727.v1
    instance_type: Standard_F2s_v2
    scale_settings:
      scale_type: manual
      instance_count: 3
      min_instances: 1
      max_instances: 2
"""


def test_the_article_of_2021_is_an_endpoint_and_a_deployment():
    source = read_yaml(ARTICLE)
    assert holds_deployments(source)
    converted = convert_endpoint(source)
    endpoint = OnlineEndpointDocument.read(converted.endpoint)
    assert (endpoint.name, endpoint.traffic) == ("my-endpoint", {"blue": 100})
    blue = OnlineDeploymentDocument.read(converted.deployments[0])
    assert (blue.name, blue.endpoint_name, blue.instance_count) == ("blue", "my-endpoint", 3)
    assert blue.to_json()["model"]["path"] == "../model-1/model/"
    assert blue.to_json()["code_configuration"] == {
        "code": "../model-1/onlinescoring/",
        "scoring_script": "score.py",
    }
    environment = blue.to_json()["environment"]
    assert environment["conda_file"] == "../model-1/environment/conda.yml"
    assert environment["image"].endswith(":20210727.v1")


def test_what_is_left_out_is_noted():
    notes = convert_endpoint(read_yaml(ARTICLE)).notes
    assert notes[0].startswith("This is a document of the 2021 format")
    assert any("max_instances" in note and note.startswith("blue:") for note in notes)


def test_mistakes_keep_the_line_they_were_written_on():
    text = ARTICLE.replace("instance_count: 3", "instance_count: many").replace("score.py", "''")
    with pytest.raises(Invalid) as caught:
        OnlineDeploymentDocument.read(convert_endpoint(read_yaml(text)).deployments[0])
    lines = {error.field: error.line for error in caught.value.details}
    assert lines == {"instance_count": 28, "code_configuration.scoring_script": 17}


def test_deployments_may_be_a_mapping_by_name():
    source = SourceDocument({"name": "e", "deployments": {"blue": {"instance_type": "a"}, "green": {}}})
    assert [one.values["name"] for one in convert_endpoint(source).deployments] == ["blue", "green"]


@pytest.mark.parametrize("wrong", ["blue", 3, ["blue"], {"blue": "x"}])
def test_what_is_no_deployment_is_named(wrong: object):
    with pytest.raises(Invalid, match=r"deployments.*Not a valid mapping type"):
        convert_endpoint(SourceDocument({"name": "e", "deployments": wrong}))


def test_a_target_is_a_compute():
    converted = convert_endpoint(SourceDocument({"name": "e", "target": "azureml:k8s", "deployments": []}))
    assert converted.endpoint.values == {"name": "e", "compute": "azureml:k8s"}


def test_a_batch_endpoint_is_refused():
    with pytest.raises(Invalid, match="Only online endpoints"):
        convert_endpoint(SourceDocument({"name": "e", "type": "batch", "deployments": []}))


def test_a_dockerfile_of_2021_is_a_build_context():
    docker = {"build": {"dockerfile": "file:docker/Dockerfile"}}
    given = SourceDocument({"environment": {"path": "context", "docker": docker}})
    document, _ = convert_deployment(given)
    assert document.values["environment"] == {"build": {"path": "context", "dockerfile_path": "docker/Dockerfile"}}


def test_scaling_by_rules_is_noted_and_not_taken_over():
    given = SourceDocument({"scale_settings": {"scale_type": "Auto", "min_instances": 1}})
    document, notes = convert_deployment(given)
    assert document.values == {} and "scaling rules" in notes[0]


def test_a_document_of_today_comes_back_as_it_is():
    values = {"name": "blue", "model": "azureml:m:1", "scale_settings": {"type": "default"}, "instance_count": 2}
    document, notes = convert_deployment(SourceDocument(values))
    assert (document.values, notes) == (values, ())
    assert AssetReference("m", "1").as_text() == document.values["model"]


def test_a_models_local_path_is_its_path():
    assert convert_model(SourceDocument({"name": "m", "local_path": "./m"})).values == {"name": "m", "path": "./m"}
