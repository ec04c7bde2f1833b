"""MLflow models without a script: real ones, in the environment they ask for, asked in Azure's way and in MLflow's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import mlflow_world
from tests.scoring.conftest import Reply, Running, end, launch

pytestmark = pytest.mark.slow

Serve = Callable[[str], Running]
SPLIT = {"columns": ["age", "visits"], "data": [[20.0, 1], [30.0, 5]]}
RECORDS = [{"age": 20.0, "visits": 1}, {"age": 30.0, "visits": 5}]
COSTS = pytest.approx([203.0, 311.0])
SETTLED = ("running", "exited")
IMPORT_S = 120.0  # mlflow and all it draws in, on a busy machine
FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mlflow_world.mlflow_python(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def models(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mlflow_world.make_models(python, tmp_path_factory.mktemp("made") / "models")


@pytest.fixture(scope="module")
def serve(package: Path, python: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A server of the named model; started once."""
    started: dict[str, Running] = {}

    def served(name: str) -> Running:
        if name not in started:
            folder = tmp_path_factory.mktemp(name)
            environ = {"AZUREML_MODEL_DIR": str(models / name), "AZUREML_ENTRY_SCRIPT": "builtin:mlflow"}
            started[name] = launch(folder, package, "", *ENTRY, python=str(python), **environ)
            started[name].wait_until(lambda: started[name].status.get("phase") in SETTLED, within_s=IMPORT_S)
            assert started[name].status["phase"] == "running", started[name].status["failure"]
        return started[name]

    yield served
    for running in started.values():
        end(running)


ENTRY = ("--entry_script", "builtin:mlflow")


def answer(running: Running, **payload: Any) -> Any:
    reply = running.score(payload)
    assert reply.status == 200, reply.body
    return reply.json


def refusal(running: Running, **payload: Any) -> str:
    """The message of a refusal, which tells of no file and no line."""
    reply = running.score(payload)
    assert reply.status == 400, (reply.status, reply.body)
    assert "Traceback" not in reply.message and ".py" not in reply.message
    return reply.message


# Azure's way --------------------------------------------------------------------------------------------------


def test_a_split_table_is_answered_with_a_plain_list(serve: Serve):
    reply = serve("table").score({"input_data": {**SPLIT, "index": [0, 1]}})
    assert reply.status == 200 and reply.json == COSTS
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-ms-run-function-failed"] == "False" and reply.headers["x-ms-run-fn-exec-ms"]


def test_the_index_may_be_left_out_and_columns_may_be_more_and_in_any_order(serve: Serve):
    table = {"columns": ["extra", "visits", "age"], "data": [["x", 1, 20], ["y", 5, 30]]}
    assert answer(serve("table"), input_data=table) == COSTS


def test_a_tensor_is_a_list_of_the_signatures_shape(serve: Serve):
    assert answer(serve("tensor"), input_data=[[20, 1], [30.0, 5]]) == COSTS
    assert "has the shape (1, 3); the model takes (-1, 2)" in refusal(serve("tensor"), input_data=[[1, 2, 3]])
    assert "must hold numbers (float64)" in refusal(serve("tensor"), input_data=[["a", "b"]])
    assert "lists are of different lengths" in refusal(serve("tensor"), input_data=[[1, 2], [3]])


def test_named_tensors_are_an_object(serve: Serve):
    running = serve("named")
    both = {"left": [[1, 2]], "right": [[3, 4.5]]}
    assert answer(running, input_data=both) == {"sum": [[4.0, 6.5]]}
    assert answer(running, inputs=both) == {"predictions": {"sum": [[4.0, 6.5]]}}
    assert answer(running, instances=[{"left": [1, 2], "right": [3, 4]}]) == {"predictions": {"sum": [[4.0, 6.0]]}}
    assert "the tensor right is missing" in refusal(running, input_data={"left": [[1, 2]]})
    assert "tensors by name: {left, right}" in refusal(running, input_data=[[1, 2]])


def test_a_model_without_a_signature_takes_lists_and_tables_as_they_are(serve: Serve):
    assert answer(serve("plain"), input_data=[[20, 1], [30, 5]]) == COSTS
    assert answer(serve("plain"), input_data=SPLIT) == COSTS
    assert "could not use the input: X has 3 features" in refusal(serve("plain"), input_data=[[1, 2, 3]])


def test_parameters_reach_the_model_and_have_defaults(serve: Serve):
    table = {"columns": ["age", "name"], "data": [[1.5, "Ada"]]}
    assert answer(serve("params"), input_data=table, params={"factor": 10}) == [{"name": "Ada", "price": 15.0}]
    assert answer(serve("params"), input_data=table, params={"unknown": 1}) == [{"name": "Ada", "price": 3.0}]
    assert "factor" in refusal(serve("params"), input_data=table, params={"factor": "ten"})
    assert "params: must be an object" in refusal(serve("params"), input_data=table, params=[1])


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"columns": ["age"], "data": [[1.0]]}, "the column is missing: visits. Its columns are age, visits."),
        ({"columns": ["age", "visits"], "data": [["old", 1]]}, "'age' must hold numbers (double); row 0 has 'old'"),
        ({"columns": ["age", "visits"], "data": [[1, 1], [1, 1.5]]}, "'visits' must hold whole numbers (long); row 1"),
        (
            {"columns": ["age", "visits"], "data": [[1, None]]},
            "'visits' must hold whole numbers (long); row 0 has none",
        ),
        ({"columns": ["age", "visits"], "data": [[1]]}, "input_data.data[0]: has 1 values for 2 columns"),
        ({"columns": ["age", "age"], "data": []}, "input_data.columns: a name stands twice"),
        ({**SPLIT, "index": [0]}, "input_data.index: must be a list as long as data"),
        ([[20.0, 1]], 'the model takes a table: {"columns": [...], "data": [[...]]}. Its columns are age, visits.'),
        (RECORDS, "the model takes a table"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_by_name_and_place(serve: Serve, payload: Any, message: str):
    assert message in refusal(serve("table"), input_data=payload)


def test_requests_that_are_no_requests_get_the_contracts_messages(serve: Serve):
    running = serve("table")
    assert running.score({"data": []}).message == "A value is not provided for the 'input_data' parameter."
    assert running.score([1]).message == "POST body should be a JSON dictionary."
    empty = running.request(body="", content_type="application/json")
    assert (empty.status, empty.message) == (400, "POST body is empty. Expecting a JSON dictionary.")
    plain = running.request(body="{}", content_type="text/plain")
    assert (plain.status, plain.message) == (415, "Expects Content-Type to be application/json")
    assert running.request("HEAD").status == 405


def test_every_type_of_column_is_read_and_checked(serve: Serve):
    good = {"boolean": True, "integer": 1, "long": 2, "float": 1.5, "double": 2, "string": "x", "binary": "AAE="}
    good["datetime"] = "2025-01-02T03:04:05"
    bad = {"boolean": 1, "integer": 2**40, "float": "x", "string": 1, "binary": "!", "datetime": "someday"}
    for name, cell in bad.items():
        assert f"'{name}' must hold" in refusal(serve("kinds"), dataframe_records=[{**good, name: cell}])
    reply = serve("kinds").score({"dataframe_records": [good]})
    assert (reply.status, reply.message) == (500, FAILED)  # it got as far as the model, which always fails
    del good["boolean"]  # the one that is not required
    assert serve("kinds").score({"dataframe_records": [good]}).status == 500


def test_a_failure_of_the_model_itself_tells_the_log_and_not_the_caller(serve: Serve):
    reply = serve("fails").score({"input_data": [[1]]})
    assert (reply.status, reply.message) == (500, FAILED)
    assert "secret of the house" in serve("fails").wait_for_message("RuntimeError")["message"]


# MLflow's way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        {"dataframe_split": SPLIT},
        {"dataframe_records": RECORDS},
        {"instances": RECORDS},
        {"inputs": {"age": [20.0, 30.0], "visits": [1, 5]}},
    ],
)
def test_mlflows_own_keys_are_answered_with_predictions(serve: Serve, payload: dict[str, Any]):
    assert answer(serve("table"), **payload) == {"predictions": COSTS}


@pytest.mark.parametrize("key", ["instances", "inputs"])
@pytest.mark.parametrize("name", ["tensor", "plain"])
def test_arrays_come_as_instances_or_inputs(serve: Serve, name: str, key: str):
    assert answer(serve(name), **{key: [[20, 1], [30, 5]]}) == {"predictions": COSTS}


def test_a_table_may_come_as_csv(serve: Serve):
    reply = serve("table").request(body="age,visits\n20,1\n30,5\n", content_type="text/csv")
    assert (reply.status, reply.json) == (200, {"predictions": COSTS})
    broken = serve("table").request(body="age\n1\n", content_type="text/csv")
    assert (broken.status, broken.json["error_code"]) == (400, "BAD_REQUEST")
    assert "the column is missing: visits" in broken.message
    assert serve("table").request(body="", content_type="text/csv").status == 400


def test_refusals_have_mlflows_form(serve: Serve):
    reply = serve("table").score({"dataframe_split": SPLIT, "inputs": []})
    assert reply.status == 400 and reply.json == {
        "error_code": "BAD_REQUEST",
        "message": "Give one of dataframe_split, inputs, not several.",
    }
    assert "list of rows" in refusal(serve("table"), dataframe_records={"age": 1})
    assert "the model takes named columns" in refusal(serve("table"), inputs=[[1, 2]])


# Swagger ------------------------------------------------------------------------------------------------------


def swagger(running: Running, version: str) -> Any:
    reply: Reply = running.request("GET", f"/swagger.json?version={version}")
    assert reply.status == 200
    document = reply.json
    return document["definitions"] if version == "2" else document["components"]["schemas"]


@pytest.mark.parametrize("version", ["2", "3", "3.1"])
def test_signature_and_example_are_in_every_swagger(serve: Serve, version: str):
    schema = swagger(serve("table"), version)["ServiceInput"]
    assert schema["example"] == {
        "input_data": {"columns": ["age", "visits"], "index": [0, 1], "data": [[20.0, 1], [30.0, 5]]}
    }
    row = schema["properties"]["dataframe_records"]["items"]
    assert row["properties"]["visits"] == {"type": "integer", "format": "int64"} and row["required"] == [
        "age",
        "visits",
    ]
    assert "visits (long)" in schema["properties"]["input_data"]["description"]


@pytest.mark.parametrize("name", ["table", "tensor", "named", "params", "kinds"])
def test_the_swaggers_example_can_be_sent(serve: Serve, name: str):
    schema = swagger(serve(name), "3")["ServiceInput"]
    reply = serve(name).score(schema["example"])
    assert reply.status == (500 if name == "kinds" else 200), json.dumps(schema["example"])


def test_parameters_are_in_the_swagger_with_their_defaults(serve: Serve):
    schema = swagger(serve("params"), "2")["ServiceInput"]
    assert schema["properties"]["params"]["properties"]["factor"]["default"] == 2.0
    assert schema["example"]["params"] == {"factor": 3.0}


# Starting -----------------------------------------------------------------------------------------------------


def failure_of(package: Path, folder: Path, model: Path, python: str) -> dict[str, Any]:
    environ = {"AZUREML_MODEL_DIR": str(model), "AZUREML_ENTRY_SCRIPT": "builtin:mlflow"}
    running = launch(folder, package, "", *ENTRY, python=python, **environ)
    try:
        running.wait_until(lambda: running.status.get("phase") in SETTLED, within_s=IMPORT_S)
        failure: dict[str, Any] = running.status["failure"]
    finally:
        end(running)
    return failure


def test_an_environment_without_mlflow_is_named_as_the_cause(package: Path, models: Path, tmp_path: Path):
    import sys

    failure = failure_of(package, tmp_path, models / "table", sys.executable)
    assert failure["code"] == "UserScriptImportError"
    assert "mlflow cannot be imported in the model's environment" in failure["message"]


def test_a_module_the_model_needs_is_named(package: Path, python: Path, models: Path, tmp_path: Path):
    model = tmp_path / "model"
    model.mkdir()
    text = (models / "table" / "MLmodel").read_text().replace("loader_module: mlflow.sklearn", "loader_module: xgb.own")
    (model / "MLmodel").write_text(text)
    failure = failure_of(package, tmp_path / "app", model, str(python))
    assert failure["code"] == "UserScriptInitFailed" and "needs the module 'xgb'" in failure["message"]
    assert "conda.yaml" in failure["advice"] and failure["log_tail"]


def test_a_folder_without_a_model_is_told_so(package: Path, python: Path, tmp_path: Path):
    failure = failure_of(package, tmp_path, tmp_path, str(python))
    assert failure["code"] == "BadArgument" and "no file MLmodel" in failure["message"]
