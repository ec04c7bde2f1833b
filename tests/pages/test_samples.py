"""Samples that call an endpoint run as they stand, whatever the request in them says."""

from __future__ import annotations

import ast
import json
import shlex

import pytest

from studio.pages.samples import on_one_line, samples_for

BODIES = ['{"data": [[1, null, true]]}', "it's '; touch /tmp/x; '", '"); import os; ("', "`id` $(id) \\"]


def sample(language: str, body: str) -> str:
    found = samples_for(name="risk", scoring_uri="http://localhost:8080/risk/score", auth_mode="key", body=body)
    return next(one.text for one in found if one.language == language)


@pytest.mark.parametrize("body", BODIES)
def test_curl_sends_the_body_and_nothing_else_runs(body: str) -> None:
    words = shlex.split(sample("curl", body).replace("\\\n", ""))
    assert words[0] == "curl"
    assert words[-2:] == ["-d", body]
    assert len(words) == 8


@pytest.mark.parametrize("body", BODIES)
def test_python_sends_the_body_and_nothing_else_runs(body: str) -> None:
    tree = ast.parse(sample("Python", body))
    assert body in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert len([node for node in tree.body if isinstance(node, ast.Import)]) == 3


@pytest.mark.parametrize("body", BODIES)
def test_javascript_holds_the_body_as_a_string(body: str) -> None:
    [line] = [line for line in sample("JavaScript", body).splitlines() if line.strip().startswith("body:")]
    assert json.loads(line.strip().removeprefix("body: ").removesuffix(",")) == body


def test_laid_out_json_comes_on_one_line() -> None:
    assert on_one_line('{\n  "data": [1]\n}') == '{"data": [1]}'
    assert on_one_line("not json") == "not json"
