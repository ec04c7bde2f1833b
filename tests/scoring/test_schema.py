"""Scripts that use inference-schema, Flask and pandas, in a real environment that has them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.scoring.conftest import Running, Start, end, launch

pytestmark = pytest.mark.slow

SCRIPT = """
    import datetime
    import numpy as np
    import pandas as pd
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
    from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

    def init():
        pass

    @input_schema("array", NumpyParameterType(np.array([[1.5, 2.0]])))
    @input_schema("when", StandardPythonParameterType(datetime.datetime(2024, 1, 2)))
    @input_schema("frame", PandasParameterType(pd.DataFrame({"a": [1], "b": ["x"]})), optional=True)
    @output_schema(StandardPythonParameterType({"sum": 1.5}))
    def run(array, when=None, frame=None, plain=7):
        rows = None if frame is None else frame["a"].tolist()
        return {"sum": array.sum().item(), "rows": rows, "plain": plain}
"""


@pytest.fixture(scope="session")
def schema_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the packages; made by uv."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    folder = tmp_path_factory.mktemp("schema") / "venv"
    made = subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=False)
    python = folder / "bin" / "python"
    packages = ["inference-schema==1.8", "numpy<2.4", "pandas<3", "flask"]
    if made.returncode == 0:
        made = subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *packages], check=False)
    need("packages", made.returncode == 0, "inference-schema could not be installed")
    return python


@pytest.fixture(scope="session")
def server(package: Path, schema_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = launch(tmp_path_factory.mktemp("schema-app"), package, SCRIPT, python=str(schema_python))
    running.wait_until(lambda: running.status.get("phase") in ("running", "exited"))
    yield running
    end(running)


WHEN = {"when": "2024-05-06"}


def test_values_are_converted_by_their_types(server: Running) -> None:
    assert server.score({"array": [[1, 2], [3, 4]], **WHEN}).json == {"sum": 10.0, "rows": None, "plain": 7}
    reply = server.score({"array": [[0, 0]], **WHEN, "frame": [{"a": 5, "b": "y"}], "plain": [1], "unknown": 1})
    assert reply.json == {"sum": 0.0, "rows": [5], "plain": [1]}


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/cloudevents+json"]
)
def test_json_content_types_are_taken(server: Running, kind: str) -> None:
    assert server.score({"array": [[1, 1]], **WHEN}, content_type=kind).json["sum"] == 2.0


@pytest.mark.parametrize("kind", ["", "text/json", "text/plain"])
def test_other_content_types_are_refused(server: Running, kind: str) -> None:
    reply = server.request(body="{}", **({"content_type": kind} if kind else {}))
    assert (reply.status, reply.message) == (415, "Expects Content-Type to be application/json")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "POST body is empty. Expecting a JSON dictionary."),
        (b"[1]", "POST body should be a JSON dictionary."),
        (b"{", "POST body could not be decoded as JSON: Expecting property name enclosed in double quotes: "),
        (b"{}", "A value is not provided for the 'array' parameter."),
    ],
)
def test_bad_bodies_are_refused(server: Running, body: bytes, message: str) -> None:
    reply = server.request(body=body, content_type="application/json")
    assert reply.status == 400
    assert reply.message.startswith(message)
    assert reply.headers["x-ms-run-function-failed"] == "False"


@pytest.mark.parametrize("body", [b'{"array": "\xff"}', b'{"a":' * 100_000])
def test_bytes_that_break_the_json_parser_are_an_internal_error(server: Running, body: bytes) -> None:
    reply = server.request(body=body, content_type="application/json")
    assert (reply.status, reply.message[:33]) == (500, "An unexpected internal error occu")


@pytest.mark.parametrize("array", ["text", [[1, 2, 3]], [1, 2]])
def test_a_value_that_does_not_convert_is_the_scripts_error(server: Running, array: object) -> None:
    reply = server.score({"array": array, **WHEN})
    assert (reply.status, reply.headers["x-ms-run-function-failed"]) == (500, "True")


def test_get_takes_the_query(server: Running) -> None:
    assert server.request("GET", "/score?array=[[1,2]]&when=2024-01-01&plain=x").json["plain"] == "x"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_other_encodings_of_json_are_read(server: Running, encoding: str) -> None:
    body = json.dumps({"array": [[1, 2]], **WHEN}).encode(encoding)
    assert server.request(body=body, content_type="application/json").json["sum"] == 3.0


def test_swagger_tells_the_types(server: Running) -> None:
    document = server.request("GET", "/swagger.json?version=3").json
    service_input = document["components"]["schemas"]["ServiceInput"]
    assert set(service_input["properties"]) == {"array", "when", "frame", "plain"}
    assert service_input["example"]["array"] == [[1.5, 2.0]]


def test_responses_of_flask_are_sent_as_they_are(start: Start, schema_python: Path) -> None:
    script = """
        from flask import Response
        from azureml.contrib.services.aml_request import rawhttp
        def init(): pass
        @rawhttp
        def run(request):
            if request.args.get("stream"):
                return Response((part for part in ["a", "b"]), 200, mimetype="text/plain")
            return Response("made by flask", 202, {"X-Own": "1"})
    """
    running = start(script, python=str(schema_python))
    reply = running.request("GET", "/score")
    assert (reply.status, reply.body, reply.headers["x-own"]) == (202, b"made by flask", "1")
    assert running.request("GET", "/score?stream=1").body == b"ab"


def test_both_decorators_at_once_are_refused(start: Start, schema_python: Path) -> None:
    script = """
        from azureml_inference_server_http.api.aml_request import rawhttp
        from inference_schema.schema_decorators import input_schema
        from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
        def init(): pass
        @rawhttp
        @input_schema("a", StandardPythonParameterType(1))
        def run(a): return a
    """
    running = start(script, wait=False, python=str(schema_python))
    assert running.process.wait(60) == 3
    assert running.status["failure"]["message"] == "run() cannot be decorated with both @rawhttp and @input_schema"
