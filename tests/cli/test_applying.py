"""`slipway apply`, and documents of 2021 through today's verbs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran, Studio
from tests.cli.test_deployments import DEPLOYMENTS, DONE, project  # noqa: F401  # a studio that takes the article's files

Slipway = Callable[..., Ran]
NOTHING: dict[str, Any] = {"endpoint": "my-endpoint", "deployment": "", "action": "nothing", "changes": [],
                           "replaced": [], "started": 0, "stopped": 0, "quota": "", "effects": []}  # fmt: skip
CREATED = {**NOTHING, "action": "create"}
BLUE = {**CREATED, "deployment": "blue", "started": 1}
SHIFT = {**NOTHING, "action": "update", "changes": [{"field": "traffic.blue", "before": None, "after": 100}]}
GREEN_LEFT = {**NOTHING, "deployment": "green", "action": "delete", "stopped": 2}
ENDPOINT = "online-endpoints/my-endpoint"


@pytest.fixture
def folder(project: Studio, tmp_path: Path) -> Studio:  # noqa: F811
    (tmp_path / "endpoint.yml").write_text("name: my-endpoint\ntraffic: {blue: 100}\n")
    project.on("PUT", ENDPOINT, DONE)
    project.on("PATCH", ENDPOINT, DONE)
    project.on("DELETE", f"{DEPLOYMENTS}/green", DONE)
    return project


def test_everything_is_carried_out_in_the_order_in_which_it_can_be(folder: Studio, slipway: Slipway):
    folder.on("POST", "plan", [CREATED, BLUE, SHIFT])
    ran = slipway("apply", "-f", "endpoint.yml", "deploy/blue.yml")
    assert ran.code == 0, ran.err
    changes = [(one.method, one.path) for one in folder.asked if one.path.startswith("online-endpoints")]
    assert changes == [("PUT", ENDPOINT), ("POST", DEPLOYMENTS), ("PATCH", ENDPOINT)]
    assert folder.sent("PUT", ENDPOINT)[0].json == {"name": "my-endpoint"}
    assert folder.sent("PATCH", ENDPOINT)[0].json == {"name": "my-endpoint", "traffic": {"blue": 100}}


def test_what_is_so_already_is_left_alone(folder: Studio, slipway: Slipway):
    folder.on("POST", "plan", [NOTHING])
    ran = slipway("apply", "-f", "endpoint.yml")
    assert ran.code == 0 and "Nothing to change." in ran.err
    assert not [one for one in folder.asked if one.method in {"PUT", "PATCH", "DELETE"}]


def test_what_left_the_documents_is_deleted_last_and_only_when_asked_for(folder: Studio, slipway: Slipway):
    folder.on("POST", "plan", [SHIFT, GREEN_LEFT])
    ran = slipway("apply", "-f", "endpoint.yml", "--prune", "--yes")
    assert ran.code == 0, ran.err
    assert folder.sent("POST", "plan")[0].json["prune"] is True
    assert "my-endpoint/green: left the documents, is deleted" in ran.err
    assert [one.method for one in folder.asked][-2:] == ["PATCH", "DELETE"]


def test_without_a_terminal_deleting_wants_a_yes(folder: Studio, slipway: Slipway):
    folder.on("POST", "plan", [SHIFT, GREEN_LEFT])
    ran = slipway("apply", "-f", "endpoint.yml", "--prune")
    assert ran.code == 2 and "my-endpoint/green" in ran.err and "--yes" in ran.err
    assert not folder.sent("PATCH", ENDPOINT)


def test_not_waiting_cannot_shift_traffic_to_what_is_new(folder: Studio, slipway: Slipway):
    folder.on("POST", "plan", [CREATED, BLUE, SHIFT])
    ran = slipway("apply", "-f", "endpoint.yml", "deploy/blue.yml", "--no-wait")
    assert ran.code == 2 and "--no-wait" in ran.err and not folder.sent("PUT", ENDPOINT)


def test_a_mistake_in_one_document_sends_nothing(folder: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "endpoint.yml").write_text("name: my-endpoint\ntrafic: {blue: 100}\n")
    ran = slipway("apply", "-f", "deploy/blue.yml", "endpoint.yml")
    assert ran.code == 1 and "did you mean 'traffic'" in ran.err and not folder.asked


def test_pruning_by_an_endpoints_document_alone_says_what_it_needs(folder: Studio, slipway: Slipway):
    ran = slipway("online-endpoint", "update", "-f", "endpoint.yml", "--prune")
    assert ran.code == 2 and "slipway apply" in ran.err


OLD = """\
name: my-endpoint
type: online
traffic: {blue: 100}
deployments:
  - name: blue
    model: {name: m, version: 1, local_path: ../model}
    code_configuration: {code: {local_path: ../src}, scoring_script: score.py}
    environment: {name: e, version: 1, path: ., conda_file: "file:../conda.yml", docker: {image: base}}
    instance_type: Standard_DS3_v2
    scale_settings: {scale_type: manual, instance_count: 1}
"""


@pytest.mark.parametrize(
    "words", [("endpoint", "create"), ("endpoint", "update"), ("online-endpoint", "create"), ("apply",)]
)
def test_a_document_of_2021_is_read_with_a_note(folder: Studio, slipway: Slipway, tmp_path: Path, words: tuple[str]):
    (tmp_path / "deploy/old.yml").write_text(OLD)
    folder.on("POST", "plan", [CREATED, BLUE, SHIFT])
    folder.on("GET", DEPLOYMENTS, [])
    ran = slipway(*words, "-f", "deploy/old.yml")
    assert ran.code == 0, ran.err
    assert "Note: This is a document of the 2021 format" in ran.err
    sent = folder.sent("POST", DEPLOYMENTS)[0].json
    assert sent["model"]["path"] == "upload:up-model" and "python=3.11" in sent["environment"]["conda_file"]
    assert (sent["instance_count"], sent["environment"]["image"]) == (1, "base")


def test_a_deployments_own_document_of_2021_is_read_too(folder: Studio, slipway: Slipway, tmp_path: Path):
    text = (tmp_path / "deploy/blue.yml").read_text().replace("path: ../model", "local_path: ../model")
    (tmp_path / "deploy/blue.yml").write_text(f"{text}scale_settings: {{scale_type: manual, instance_count: 2}}\n")
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml")
    assert ran.code == 0, ran.err
    assert folder.sent("POST", DEPLOYMENTS)[0].json["instance_count"] == 2
