"""Models and environments as values."""

from __future__ import annotations

import pytest

from endpoints.spec.documents import EnvironmentDocument, ModelDocument
from endpoints.spec.errors import Invalid


def environment_errors(**fields: object) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        EnvironmentDocument.read({"name": "my-env", **fields})
    return {error.field: error.message for error in caught.value.details}


@pytest.mark.parametrize(("written", "version"), [(1, "1"), (1.5, "1.5"), ("v2", "v2")])
def test_a_version_may_be_written_as_a_number(written: object, version: str):
    assert ModelDocument.read({"name": "m", "path": "./m", "version": written}).version == version


def test_a_model_is_custom_unless_it_says_otherwise():
    assert ModelDocument.read({"name": "m", "path": "./m"}).type == "custom_model"


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "ä", "x" * 256, ".hidden"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str):
    with pytest.raises(Invalid):
        ModelDocument.read({"name": name, "path": "./m"})


def test_local_path_says_what_to_write():
    with pytest.raises(Invalid, match="write 'path'"):
        ModelDocument.read({"name": "m", "path": "./m", "local_path": "./m"})


def test_tags_are_text():
    assert ModelDocument.read({"name": "m", "path": "p", "tags": {"a": 1, "b": "x"}}).tags == {
        "a": "1",
        "b": "x",
    }


def test_an_environment_needs_an_image_or_a_dockerfile_and_not_both():
    assert environment_errors() == {"image": "Docker image or Dockerfile is required for environments"}
    both = environment_errors(image="x", build={"path": "."})
    assert both == {"image": "Docker image or Dockerfile should be provided not both"}


def test_a_list_of_packages_alone_is_enough():
    packages = "dependencies:\n- python\n"
    assert EnvironmentDocument.read({"name": "my-env", "conda_file": packages}).conda_file == packages


def test_a_conda_file_given_as_the_document_is_recognised():
    found = environment_errors(channels=["conda-forge"], dependencies=["python"], image="x")
    assert found["channels"].endswith("Name the file in 'conda_file'.")
    assert "It looks like you are trying to specify a conda file" in found["dependencies"]


def test_a_conda_file_is_a_path_a_mapping_or_its_text():
    for conda in ("./conda.yml", {"dependencies": ["python=3.11"]}, "dependencies:\n- python\n"):
        assert EnvironmentDocument.read({"name": "e", "image": "x", "conda_file": conda}).conda_file == conda


def test_packages_are_listed_once():
    found = environment_errors(image="x", conda_file="c.yml", requirements_file="r.txt")
    assert set(found) == {"requirements_file"}


def test_requirements_need_no_image():
    assert EnvironmentDocument.read({"name": "e", "requirements_file": "requirements.txt"}).image == ""


def test_inference_config_needs_all_three_routes():
    found = environment_errors(image="x", inference_config={"liveness_route": {"port": 80, "path": "/"}})
    assert set(found) == {"inference_config.readiness_route", "inference_config.scoring_route"}


def test_a_port_out_of_range_is_named():
    route = {"port": 70000, "path": "/"}
    config = {
        "liveness_route": route,
        "readiness_route": {"port": 1, "path": "/"},
        "scoring_route": {"port": 1, "path": "/"},
    }
    assert set(environment_errors(image="x", inference_config=config)) == {"inference_config.liveness_route.port"}
