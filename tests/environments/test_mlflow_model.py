"""Reading MLmodel and the lists of packages beside it, as MLflow writes them and as people break them."""

from __future__ import annotations

import pytest

from endpoints.environments import EnvironmentSpec, build_key, recipe_of
from endpoints.environments.mlflow_model import MlflowModel, ModelFiles, read_mlflow_model
from endpoints.spec.errors import UnusableModel

MLMODEL = """flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
  sklearn:
    sklearn_version: 1.9.1
mlflow_version: 3.17.2
"""
CONDA = """channels:
- conda-forge
dependencies:
- python=3.11.7
- pip<=26.3
- pip:
  - mlflow==3.17.2
  - scikit-learn==1.9.1
name: mlflow-env
"""
PYTHON_ENV = "python: 3.10.4\nbuild_dependencies:\n- pip\n- setuptools\ndependencies:\n- -r requirements.txt\n"
REQUIREMENTS = "mlflow==3.17.2\nscikit-learn==1.9.1"


def model(**files: str) -> MlflowModel:
    """Files by name; `conda_yaml` is conda.yaml, `model__MLmodel` is model/MLmodel."""
    named = {name.replace("__", "/").replace("_yaml", ".yaml").replace("_txt", ".txt"): files[name] for name in files}
    return read_mlflow_model(ModelFiles(named.keys(), named.__getitem__))


def refusal(**files: str) -> str:
    with pytest.raises(UnusableModel) as refused:
        model(**files).conda()
    assert refused.value.code == "BadArgument"
    return refused.value.message


def requirements(found: MlflowModel) -> tuple[str, tuple[str, ...]]:
    recipe = recipe_of(EnvironmentSpec(conda=found.conda()))
    return recipe.python, recipe.requirements


def test_the_conda_file_says_what_is_installed_and_which_minor_python():
    found = model(MLmodel=MLMODEL, conda_yaml=CONDA)
    assert requirements(found) == ("==3.11.*", ("mlflow==3.17.2", "scikit-learn==1.9.1"))


def test_models_that_differ_in_what_does_not_matter_share_a_build():
    other = CONDA.replace("3.11.7", "3.11.2").replace("pip<=26.3", "pip").replace("mlflow-env", "x")
    keys = {
        build_key(EnvironmentSpec(conda=model(MLmodel=MLMODEL, conda_yaml=text).conda())) for text in (CONDA, other)
    }
    assert len(keys) == 1


def test_without_a_conda_file_python_env_and_requirements_say_it():
    found = model(MLmodel=MLMODEL, python_env_yaml=PYTHON_ENV, requirements_txt=REQUIREMENTS)
    assert requirements(found) == ("==3.10.*", ("mlflow==3.17.2", "scikit-learn==1.9.1"))


def test_a_conda_file_may_draw_the_requirements_in():
    conda = "dependencies:\n- python=3.11\n- pip:\n  - -r requirements.txt\n  - joblib\n"
    found = model(MLmodel=MLMODEL, conda_yaml=conda, requirements_txt=REQUIREMENTS)
    assert set(requirements(found)[1]) == {"mlflow==3.17.2", "scikit-learn==1.9.1", "joblib"}
    assert "names another file" in refusal(MLmodel=MLMODEL, conda_yaml=conda)
    assert "requirements.txt cannot be used" in refusal(MLmodel=MLMODEL, conda_yaml=conda, requirements_txt="-e .\n")


def test_requirements_alone_take_the_python_that_mlmodel_names():
    assert requirements(model(MLmodel=MLMODEL, requirements_txt=REQUIREMENTS))[0] == "==3.11.*"


def test_an_environment_named_the_old_way_is_found():
    old = "flavors:\n  python_function:\n    env: deps.yaml\n"
    assert requirements(model(MLmodel=old, deps_yaml=CONDA))[0] == "==3.11.*"


def test_mlflow_is_added_in_the_version_that_wrote_the_model():
    text = CONDA.replace("  - mlflow==3.17.2\n", "")
    assert "mlflow==3.17.2" in requirements(model(MLmodel=MLMODEL, conda_yaml=text))[1]
    skinny = CONDA.replace("mlflow==", "mlflow-skinny==")
    assert "mlflow==3.17.2" not in requirements(model(MLmodel=MLMODEL, conda_yaml=skinny))[1]
    conda_package = CONDA.replace("  - mlflow==3.17.2\n", "").replace("- pip<=26.3", "- conda-forge::mlflow=3.17.2")
    assert requirements(model(MLmodel=MLMODEL, conda_yaml=conda_package))[1].count("mlflow==3.17.2") == 0


def test_the_outermost_model_counts_and_its_files_lie_beside_it():
    inner = {"model__MLmodel": MLMODEL, "model__conda_yaml": CONDA, "model__artifacts__MLmodel": "flavors: {}"}
    found = model(**inner)
    assert found.folder == "model" and requirements(found)[0] == "==3.11.*"


def test_a_folder_without_an_mlmodel_is_no_mlflow_model():
    assert "has no file MLmodel" in refusal(conda_yaml=CONDA)


def test_two_models_side_by_side_are_one_too_many():
    assert "2 models in the folder (a/MLmodel, b/MLmodel)" in refusal(a__MLmodel=MLMODEL, b__MLmodel=MLMODEL)


def test_an_mlmodel_that_is_no_yaml_is_told_with_its_line():
    message = refusal(MLmodel="flavors:\n  python_function: [")
    assert message.startswith("The model's MLmodel cannot be read: Not valid YAML") and "line" in message
    assert "names no flavours" in refusal(MLmodel="artifact_path: model\n")


def test_a_model_without_the_python_flavour_names_those_it_has():
    message = refusal(MLmodel="flavors:\n  spark: {}\n  mleap: {}\n")
    assert "no python_function flavour (it has: mleap, spark)" in message and "code_configuration" in message


def test_a_broken_list_of_packages_is_told_with_file_and_line():
    assert "conda.yaml cannot be read: Not valid YAML" in refusal(MLmodel=MLMODEL, conda_yaml="dependencies: [")
    message = refusal(MLmodel=MLMODEL, conda_yaml=CONDA.replace("scikit-learn==1.9.1", "scikit-learn=1.9"))
    assert "conda.yaml cannot be used (line 8)" in message and "'scikit-learn=1.9'" in message
    message = refusal(MLmodel=MLMODEL, requirements_txt="mlflow\n./own.whl\n")
    assert "requirements.txt cannot be used (line 2)" in message


def test_a_model_without_any_list_of_packages_says_so():
    assert "neither conda.yaml nor requirements.txt" in refusal(MLmodel=MLMODEL)
