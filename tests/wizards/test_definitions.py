"""Packages and scripts are judged before anything is built or run."""

from __future__ import annotations

from studio.wizards import starter
from studio.wizards.definitions import definition_errors, script_error


def test_the_starter_conda_file_is_accepted() -> None:
    assert definition_errors("conda", starter.CONDA) == []


def test_a_conda_file_that_is_not_yaml_says_where() -> None:
    (error,) = definition_errors("conda", "dependencies:\n  - python=3.11\n - pip\n")
    assert "line 3" in error


def test_a_conda_file_without_dependencies_is_refused() -> None:
    (error,) = definition_errors("conda", "name: x\n")
    assert "missing" in error


def test_an_odd_package_is_named_with_its_line() -> None:
    (error,) = definition_errors("conda", "dependencies:\n  - python=3.11\n  - numpy=1|2\n")
    assert error.startswith("Line 3:")


def test_a_bad_requirement_is_named_with_its_line() -> None:
    (error,) = definition_errors("requirements", "numpy==2.3.4\n-r other.txt\n")
    assert error.startswith("Line 2:")


def test_a_conda_file_pasted_as_requirements_is_recognised() -> None:
    (error,) = definition_errors("requirements", starter.CONDA)
    assert "conda file" in error


def test_only_comments_are_no_packages() -> None:
    assert definition_errors("requirements", "# nothing yet\n") == ["Name at least one package."]


def test_a_syntax_error_is_told_with_its_line() -> None:
    error = script_error("score.py", "def init():\n    pass\ndef run(raw_data)\n    return 1\n")
    assert error is not None
    assert error.startswith("Line 3:")


def test_every_starter_script_compiles() -> None:
    for name in ("model.pkl", "folder/model.joblib", "net.onnx", "weights.bin", ""):
        assert script_error("score.py", starter.scoring_script(name)) is None


def test_the_starter_loads_the_model_by_its_own_name() -> None:
    script = starter.scoring_script("model/sklearn_regression.pkl")
    assert 'os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "sklearn_regression.pkl")' in script


def test_the_model_file_is_the_one_that_can_be_loaded() -> None:
    assert starter.model_file(["model/README.md", "model/deep/a.pkl", "model/b.joblib"]) == "model/b.joblib"
    assert starter.model_file(["notes.txt"]) == ""
