"""Conda files read as requirements of the Python package index."""

from __future__ import annotations

import pytest
import yaml

from endpoints.environments import EnvironmentSpec, Recipe, recipe_of
from endpoints.environments.conda import version_specifier
from endpoints.spec.errors import Invalid


def recipe(text: str, *, requirements: str = "") -> Recipe:
    return recipe_of(EnvironmentSpec(conda=yaml.safe_load(text), requirements=requirements))


def errors(text: str, *, requirements: str = "") -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        recipe(text, requirements=requirements)
    return {detail.field: detail.message for detail in caught.value.details}


def test_the_documented_sample_is_understood():
    found = recipe("""
        name: model-env
        channels: [conda-forge]
        dependencies:
          - python=3.11
          - numpy=1.26.4
          - pip
          - scikit-learn=1.4
          - pip:
            - azureml-inference-server-http>=1.0
            - inference-schema[numpy-support]==1.8
    """)
    assert found.python == "==3.11.*"
    assert found.requirements == (
        "numpy==1.26.4.*",
        "pip",
        "scikit-learn==1.4.*",
        "azureml-inference-server-http>=1.0",
        "inference-schema[numpy-support]==1.8",
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", ""),
        ("=1.2", "==1.2.*"),
        ("=1.2.*", "==1.2.*"),
        ("==1.2.3", "==1.2.3"),
        ("=1.2.3=py39h_0", "==1.2.3.*"),
        ("==1.2.3=py39h_0", "==1.2.3"),
        (" 1.2.3 py39_0", "==1.2.3"),
        (" 1.2.*", "==1.2.*"),
        (">=1.2,<2", "<2,>=1.2"),
        (" >=1.2, <2", "<2,>=1.2"),
        ("<=3.0.*", "<=3.0"),
        ("!=1.5", "!=1.5"),
        ("~=1.4", "~=1.4"),
        ("[version='>=1.2,<2']", "<2,>=1.2"),
        ("=*", ""),
        (" *", ""),
    ],
)
def test_match_specs_become_version_specifiers(spec: str, expected: str):
    assert version_specifier(spec.strip(), f"numpy{spec}") == expected


def test_a_channel_before_the_package_is_dropped():
    assert recipe("dependencies: ['conda-forge::numpy>=1.26', 'conda-forge/linux-64::scipy']").requirements == (
        "numpy>=1.26",
        "scipy",
    )


def test_packages_with_another_name_on_the_index_are_renamed_and_that_is_said():
    found = recipe("dependencies: [pytorch=2.1, opencv, py-xgboost]")
    assert found.requirements == ("torch==2.1.*", "opencv-python-headless", "xgboost")
    assert "The conda package pytorch is called torch on the Python package index." in found.notes


def test_what_belongs_to_the_host_is_left_out_and_that_is_said():
    found = recipe("dependencies: [numpy, nomkl, mkl=2021, libgcc-ng, ffmpeg, cudatoolkit=11.8]")
    assert found.requirements == ("numpy",)
    assert sum("part of the host" in note for note in found.notes) == 5


def test_taking_conda_packages_from_the_index_is_said():
    assert "taken from the Python package index: numpy==1.26.*" in recipe("dependencies: [numpy=1.26]").notes[0]


def test_a_requirements_file_in_the_pip_list_stands_for_the_given_requirements():
    found = recipe("dependencies: [numpy, {pip: ['-r requirements.txt', joblib]}]", requirements="scipy\nnumpy>=1\n")
    assert found.requirements == ("numpy", "joblib", "scipy", "numpy>=1")


def test_requirements_beside_a_conda_file_are_installed_too():
    assert recipe("dependencies: [numpy]", requirements="scipy").requirements == ("numpy", "scipy")


def test_every_error_is_named_at_once_with_its_place():
    found = errors("""
        chanels: [x]
        dependencies:
          - numpy=1|2
          - 3
          - pip: ["-r other.txt", "../local", "numpy==", "-e ."]
          - {conda: [x]}
          - https://conda.example/x.tar.bz2
    """)
    assert set(found) == {
        "conda_file.chanels",
        "conda_file.dependencies[0]",
        "conda_file.dependencies[1]",
        *(f"conda_file.dependencies[2].pip[{index}]" for index in range(4)),
        "conda_file.dependencies[3]",
        "conda_file.dependencies[4]",
    }
    assert "did you mean 'channels'" in found["conda_file.chanels"]
    assert "put its lines here" in found["conda_file.dependencies[2].pip[0]"]


@pytest.mark.parametrize("text", ["name: x", "dependencies: numpy", "dependencies: {numpy: 1}"])
def test_a_conda_file_without_a_list_of_packages_is_refused(text: str):
    assert "conda_file.dependencies" in errors(text)


def test_a_version_nobody_understands_is_refused():
    assert "write it like" in errors("dependencies: ['numpy=1.x.y!']")["conda_file.dependencies[0]"]
