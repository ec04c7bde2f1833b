"""A call of the test panel as a program that does the same."""

from __future__ import annotations

import ast
import shlex

from studio.pages.call_as_code import Call, as_curl, as_python

CALL = Call("http://localhost:8080/risk/score", "SLIPWAY_KEY", "application/json", '{"name": "it\'s"}', False, "blue")


def test_curl_survives_a_shell_with_its_body_whole() -> None:
    words = shlex.split(as_curl(CALL).replace("\\\n", ""))
    assert words[words.index("--data-raw") + 1] == CALL.body
    assert "azureml-model-deployment: blue" in words


def test_python_is_a_program_with_the_body_whole() -> None:
    strings = {node.value for node in ast.walk(ast.parse(as_python(CALL))) if isinstance(node, ast.Constant)}
    assert {CALL.body, "blue", "http://localhost:8080/risk/score"} <= strings


def test_a_file_is_named_and_not_written_out() -> None:
    call = Call("http://x/score", "SLIPWAY_KEY", "image/png", "my image.png", True, "")
    assert "--data-binary @'my image.png'" in as_curl(call)
    assert "open('my image.png', \"rb\")" in as_python(call)
    assert "azureml-model-deployment" not in as_curl(call)


def test_a_body_with_braces_is_no_format_string() -> None:
    assert "{{" not in as_python(Call("http://x", "K", "text/plain", "{0}", False, ""))
