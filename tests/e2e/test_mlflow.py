"""MLflow models alone, as processes and as containers: by file and command line, by plain HTTP, in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests import mlflow_world
from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.conftest import need
from tests.e2e.browsing import Person
from tests.e2e.conftest import ROOT, RunningStudio, remove_images, slipway_alone, start_studio
from tests.e2e.gateway_calls import call

pytestmark = pytest.mark.slow

BACKENDS = ["process", pytest.param("docker", marks=pytest.mark.docker)]
SPLIT = {"columns": ["age", "visits"], "index": [0, 1], "data": [[20.0, 1], [30.0, 5]]}
COSTS = pytest.approx([203.0, 311.0])
DOCUMENT = """name: {name}
endpoint_name: {endpoint}
model:
  path: {model}
  type: mlflow_model
instance_type: Standard_DS3_v2
backend: {backend}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = mlflow_world.mlflow_python(tmp_path_factory.mktemp("home"))
    return mlflow_world.make_models(python, tmp_path_factory.mktemp("made") / "models")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """One studio for both backends: the deployments choose."""
    home = tmp_path_factory.mktemp("studio") / "home"
    running = start_studio(home, "--no-sample", more={"SLIPWAY_BASE_IMAGE": BASE_IMAGE})
    yield running
    running.stop()
    remove_images(home)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        engine()
    return str(request.param)


@pytest.fixture
def endpoint(studio: RunningStudio, backend: str) -> Iterator[str]:
    name = f"by-{backend}"
    studio.slipway("online-endpoint", "create", "--name", name)
    yield name
    studio.slipway("online-endpoint", "delete", "-n", name, "--yes")


def deploy(studio: RunningStudio, endpoint: str, model: Path, *flags: str, name: str = "blue") -> str:
    """What the command line says while it deploys the model and nothing else."""
    file = model.parent / f"{endpoint}-{name}.yml"
    backend = endpoint.removeprefix("by-")
    file.write_text(DOCUMENT.format(name=name, endpoint=endpoint, model=model.name, backend=backend))
    return studio.slipway("online-deployment", "create", "-f", file.name, *flags, cwd=model.parent).stderr


def test_a_model_alone_is_deployed_by_its_file_and_asked_both_ways(studio: RunningStudio, models: Path, endpoint: str):
    deploy(studio, endpoint, models / "table", "--all-traffic")
    (models / "request.json").write_text(json.dumps({"input_data": SPLIT}))
    invoke = ("online-endpoint", "invoke", "-n", endpoint, "--request-file", "request.json")
    assert json.loads(studio.slipway(*invoke, cwd=models).stdout) == COSTS
    assert call(studio, endpoint, {"dataframe_split": SPLIT}).json == {"predictions": COSTS}
    refused = call(studio, endpoint, {"input_data": {"columns": ["age"], "data": [[1.0]]}})
    assert (refused.status, refused.headers["azureml-model-deployment"]) == (400, "blue")
    assert refused.json["message"] == "input_data: the column is missing: visits. Its columns are age, visits."
    swagger = call(studio, endpoint, None, path="swagger.json?version=3").json
    assert swagger["components"]["schemas"]["ServiceInput"]["example"] == {"input_data": SPLIT}
    logs = studio.slipway("online-deployment", "get-logs", "-n", "blue", "-e", endpoint).stdout
    assert "Loaded the MLflow model table" in logs
    second = deploy(studio, endpoint, models / "params", name="green")  # asks for the same environment
    assert "cached" in second
    people = {"columns": ["age", "name"], "data": [[1.5, "Ada"]]}
    priced = call(
        studio, endpoint, {"input_data": people, "params": {"factor": 10}}, **{"azureml-model-deployment": "green"}
    )
    assert priced.json == [{"name": "Ada", "price": 15.0}]


def test_what_the_environment_lacks_is_told_when_the_deployment_fails(
    studio: RunningStudio, models: Path, endpoint: str
):
    broken = models / f"broken-{endpoint}"
    shutil.copytree(models / "table", broken)
    text = (broken / "MLmodel").read_text()
    (broken / "MLmodel").write_text(text.replace("loader_module: mlflow.sklearn", "loader_module: xgb.own"))
    with pytest.raises(AssertionError) as failed:
        deploy(studio, endpoint, broken)
    assert "UserScriptInitFailed" in str(failed.value) and "needs the module 'xgb'" in str(failed.value)
    (broken / "conda.yaml").write_text("dependencies: [")
    with pytest.raises(AssertionError, match=r"model.path.*conda.yaml cannot be read"):
        deploy(studio, endpoint, broken, name="green")


def test_the_sample_is_deployed_by_the_lines_of_its_page(studio: RunningStudio, tmp_path_factory):
    python = mlflow_world.mlflow_python(tmp_path_factory.mktemp("home"))
    folder = Path(shutil.copytree(ROOT / "samples" / "mlflow", tmp_path_factory.mktemp("sample") / "mlflow"))
    mlflow_world.run_mlflow(python, folder / "train.py")
    studio.slipway("online-endpoint", "create", "-f", "endpoint.yml", cwd=folder)
    studio.slipway("online-deployment", "create", "-f", "blue-deployment.yml", "--all-traffic", cwd=folder)
    invoke = ("online-endpoint", "invoke", "--name", "my-mlflow-endpoint", "--request-file", "sample-request.json")
    assert json.loads(studio.slipway(*invoke, cwd=folder).stdout) == pytest.approx([206.1, 68.1], abs=0.1)


# In a browser -------------------------------------------------------------------------------------------------


@pytest.fixture
def person(studio: RunningStudio) -> Iterator[Person]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    need("browser", bool(path), "no Chromium on PATH; apt-get install chromium")
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield Person.at(browser, studio.url)


@pytest.mark.browser
def test_a_folder_of_mlflow_becomes_a_prediction_without_a_line_of_code(person: Person, models: Path, tmp_path: Path):
    page = person.page
    person.begin("no-code")
    person.choose("model-source", "upload")
    archive = shutil.make_archive(str(tmp_path / "costs"), "zip", models, "table")
    page.locator("input[type=file]:not([webkitdirectory])").set_input_files(archive)
    expect(page.locator("[data-upload-status]")).to_contain_text("Received")
    page.locator("[name='model-type']").select_option("mlflow_model")
    person.next("environment")
    expect(page.locator("[name='environment-code'][value='none']")).to_be_checked()
    expect(page.locator("[name='environment-environment'][value='model']")).to_be_checked()
    expect(page.locator("[name='environment-script']")).to_be_hidden()
    page.screenshot(path=str(tmp_path / "step.png"), full_page=True)
    person.next("compute")
    person.create()
    person.visit("/endpoints/no-code/test/")
    expect(page.locator("[name='body']")).to_have_value(json_with("input_data", "visits"))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("[data-call]").first).to_contain_text("200 OK")
    expect(page.locator("[data-answer]").first).to_contain_text("203")


def json_with(*words: str) -> Any:
    return re.compile(".*".join(words), re.DOTALL)


def test_a_model_alone_runs_locally_without_any_studio(models: Path, backend: str, tmp_path: Path):
    text = DOCUMENT.format(name="blue", endpoint="on-my-desk", model=models / "table", backend=backend)
    (tmp_path / "blue.yml").write_text(text)
    (tmp_path / "request.json").write_text(json.dumps({"input_data": SPLIT}))
    environment = {"SLIPWAY_LOCAL_HOME": str(tmp_path / "home"), "SLIPWAY_BASE_IMAGE": BASE_IMAGE}
    created = slipway_alone("online-deployment", "create", "--local", "-f", "blue.yml", cwd=tmp_path, more=environment)
    assert json.loads(created)["provisioning_state"] == "Succeeded"
    words = ("online-endpoint", "invoke", "--local", "-n", "on-my-desk", "--request-file", "request.json")
    assert json.loads(slipway_alone(*words, cwd=tmp_path, more=environment)) == COSTS
    slipway_alone("online-endpoint", "delete", "--local", "-n", "on-my-desk", "--yes", cwd=tmp_path, more=environment)


def test_what_a_studio_has_registered_runs_locally(studio: RunningStudio, models: Path, tmp_path: Path):
    studio.slipway("model", "create", "-n", "cost", "-v", "3", "-p", str(models / "table"), "-t", "mlflow_model")
    text = DOCUMENT.format(name="blue", endpoint="on-my-desk", model="x", backend="process")
    inline = "model:\n  path: x\n  type: mlflow_model\n"
    (tmp_path / "blue.yml").write_text(text.replace(inline, "model: azureml:cost:3\n"))
    environment = {**studio.environment, "SLIPWAY_LOCAL_HOME": str(tmp_path / "home")}
    created = slipway_alone("online-deployment", "create", "--local", "-f", "blue.yml", cwd=tmp_path, more=environment)
    assert json.loads(created)["model"] == "azureml:cost:3"
    (tmp_path / "request.json").write_text(json.dumps({"dataframe_split": SPLIT}))
    words = ("online-endpoint", "invoke", "--local", "-n", "on-my-desk", "--request-file", "request.json")
    assert json.loads(slipway_alone(*words, cwd=tmp_path, more=environment)) == {"predictions": COSTS}
    slipway_alone("online-endpoint", "delete", "--local", "-n", "on-my-desk", "--yes", cwd=tmp_path, more=environment)
