"""`slipway online-deployment …`"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from endpoints.assets import AssetStore
from endpoints.spec.dropped_logs import HEADER
from tests.cli.conftest import Answer, Asked, Ran, Studio

Slipway = Callable[..., Ran]
DEPLOYMENTS = "online-endpoints/my-endpoint/deployments"
BLUE = {"name": "blue", "endpoint_name": "my-endpoint", "provisioning_state": "Succeeded", "instance_count": 1,
        "model": "azureml:m:1", "environment": "azureml:e:1", "instance_type": "Standard_DS3_v2",
        "code_configuration": {"code": "tree:ab", "scoring_script": "score.py"}}  # fmt: skip
DONE = {"operation": {"id": "1", "kind": "CreateDeployment", "state": "Succeeded", "steps": [
    {"key": "quota", "title": "Check quota", "state": "Succeeded", "detail": "", "started_at": None}]}}  # fmt: skip
DOCUMENT = """\
name: blue
endpoint_name: my-endpoint
model:
  path: ../model
code_configuration:
  code: ../src
  scoring_script: score.py
environment:
  conda_file: ../conda.yml
  image: base
instance_type: Standard_DS3_v2
"""


@pytest.fixture
def project(studio: Studio, tmp_path: Path) -> Studio:
    """The article's files, and a studio that takes them."""
    for name, text in {
        "deploy/blue.yml": DOCUMENT,
        "src/score.py": "def init(): pass\ndef run(data): return data\n",
        "src/lib/x.py": "",
        "model/m.pkl": "pickle",
        "conda.yml": "# ours\ndependencies: [python=3.11]",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    studio.on("GET", "online-endpoints/my-endpoint", {"name": "my-endpoint"})
    studio.refuse("GET", f"{DEPLOYMENTS}/blue", 404, "ResourceNotFound", "There is no deployment 'blue'.")
    studio.on("GET", f"{DEPLOYMENTS}/blue", BLUE)
    studio.on("POST", DEPLOYMENTS, DONE)
    studio.on("POST", "uploads", {"id": "up-model"}, {"id": "up-code"})
    for upload, root in (("up-model", "model"), ("up-code", "src")):
        studio.on("PUT", f"uploads/{upload}/files", {})
        studio.on_call("POST", f"uploads/{upload}/complete", partial(stored, tmp_path, root))
    return studio


def stored(folder: Path, root: str, _: Asked) -> Answer:
    digest = AssetStore(folder / "store").add_tree(folder / root).digest
    return 200, "application/json", json.dumps({"tree_digest": digest}).encode()


def posted(studio: Studio) -> Any:
    return studio.sent("POST", DEPLOYMENTS)[0].json


def test_create_sends_the_files_and_the_document(project: Studio, slipway: Slipway):
    ran = slipway("online-deployment", "create", "--file", "deploy/blue.yml", "--all-traffic")
    assert (ran.code, ran.json) == (0, BLUE)
    sent = posted(project)
    assert sent["model"]["path"] == "upload:up-model"
    assert sent["code_configuration"] == {"code": "upload:up-code", "scoring_script": "score.py"}
    assert sent["environment"]["conda_file"] == "# ours\ndependencies: [python=3.11]\n"
    assert project.sent("POST", DEPLOYMENTS)[0].query == {"all_traffic": "true"}
    assert "done  Check quota" in ran.err


def test_flags_win_over_the_file(project: Studio, slipway: Slipway):
    project.on("GET", f"{DEPLOYMENTS}/green", {**BLUE, "name": "green"})
    project.answers["GET", f"{DEPLOYMENTS}/green"].insert(0, (404, "application/json", b'{"error": {"message": "no"}}'))
    words = ("-n", "Green", "--set", "instance_count=3", "request_settings.request_timeout_ms=3000")
    assert slipway("online-deployment", "create", "-f", "deploy/blue.yml", *words).code == 0
    sent = posted(project)
    assert (sent["name"], sent["instance_count"]) == ("green", 3)
    assert sent["request_settings"]["request_timeout_ms"] == 3000


def test_create_leaves_a_deployment_that_exists_alone(project: Studio, slipway: Slipway):
    project.answers["GET", f"{DEPLOYMENTS}/blue"].pop(0)
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml")
    assert ran.code == 1 and "exists already" in ran.err
    assert not project.sent("POST", "uploads")


def test_create_under_an_endpoint_that_is_not_there_ends_with_3(project: Studio, slipway: Slipway):
    project.answers["GET", "online-endpoints/my-endpoint"].clear()
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml")
    assert ran.code == 3
    assert not project.sent("POST", "uploads")


def test_all_errors_of_the_document_are_told_with_lines_and_nothing_is_sent(
    project: Studio, slipway: Slipway, tmp_path: Path
):
    text = DOCUMENT.replace("instance_type", "instance_typ") + "instance_count: many\n"
    (tmp_path / "bad.yml").write_text(text)
    ran = slipway("online-deployment", "create", "-f", "bad.yml")
    assert ran.code == 1
    assert "ERROR: The online deployment document in bad.yml has 3 errors." in ran.err
    assert "line 11, instance_typ: Unknown key 'instance_typ'; did you mean 'instance_type'?" in ran.err
    assert "line 12, instance_count: Not a valid integer." in ran.err
    assert project.asked == []


def test_a_script_with_a_syntax_error_is_refused_before_anything_is_sent(
    project: Studio, slipway: Slipway, tmp_path: Path
):
    (tmp_path / "src" / "score.py").write_text("def init()\n    pass\n")
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml")
    assert ran.code == 1
    assert "Failed to submit deployment blue due to syntax errors in scoring script" in ran.err
    assert "Error on line 1" in ran.err
    assert project.asked == []


def test_the_check_of_the_script_can_be_skipped(project: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "src" / "score.py").write_text("match x:\n" + "#" * 35)
    assert slipway("online-deployment", "create", "-f", "deploy/blue.yml", "--skip-script-validation").code == 0
    assert project.sent("POST", DEPLOYMENTS)[0].query == {"skip_script_validation": "true"}


@pytest.mark.parametrize(("path", "line"), [("src/score.py", 7), ("model", 4), ("conda.yml", 9)])
def test_a_missing_file_is_told_with_the_line_that_names_it(
    project: Studio, slipway: Slipway, tmp_path: Path, path: str, line: int
):
    (tmp_path / path).rename(tmp_path / "elsewhere")
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml")
    assert ran.code == 1 and f"line {line}" in ran.err
    assert not posted_anything(project)


def posted_anything(studio: Studio) -> bool:
    return bool(studio.sent("POST", DEPLOYMENTS))


def test_a_script_outside_of_the_code_folder_is_refused(project: Studio, slipway: Slipway):
    words = ("--set", "code_configuration.scoring_script=../conda.yml")
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml", *words)
    assert ran.code == 1 and "must lie in the code folder" in ran.err


def test_a_refusal_of_the_studio_gets_the_line_of_the_file(project: Studio, slipway: Slipway):
    details = [{"field": "instance_type", "message": "There is no such type.", "line": None}]
    project.answers["POST", DEPLOYMENTS].clear()
    project.refuse("POST", DEPLOYMENTS, 400, "ValidationError", "Refused.", details=details)
    ran = slipway("online-deployment", "create", "-f", "deploy/blue.yml")
    assert ran.err.endswith("ERROR: Refused.\n  line 11, instance_type: There is no such type.\n")


def test_all_traffic_and_no_wait_exclude_each_other(project: Studio, slipway: Slipway):
    assert slipway("online-deployment", "create", "-f", "deploy/blue.yml", "--all-traffic", "--no-wait").code == 2


def test_no_wait_returns_at_once(project: Studio, slipway: Slipway):
    project.answers["POST", DEPLOYMENTS].clear()
    project.on(
        "POST", DEPLOYMENTS, {"operation": {"id": "1", "kind": "CreateDeployment", "state": "Running", "steps": []}}
    )
    assert slipway("online-deployment", "create", "-f", "deploy/blue.yml", "--no-wait").code == 0
    assert not project.sent("GET", "operations/1")


def test_set_alone_changes_only_what_it_names(project: Studio, slipway: Slipway):
    project.answers["GET", f"{DEPLOYMENTS}/blue"].pop(0)
    project.on("PATCH", f"{DEPLOYMENTS}/blue", DONE)
    words = ("-n", "blue", "--endpoint", "my-endpoint", "--set", "instance_count=2")
    assert slipway("online-deployment", "update", *words).code == 0
    sent = project.sent("PATCH", f"{DEPLOYMENTS}/blue")[0].json
    assert sent == {"instance_count": 2}
    assert not project.sent("POST", "uploads")


def test_update_from_a_file_says_everything(project: Studio, slipway: Slipway):
    project.answers["GET", f"{DEPLOYMENTS}/blue"].pop(0)
    project.on("PUT", f"{DEPLOYMENTS}/blue", DONE)
    assert slipway("online-deployment", "update", "-f", "deploy/blue.yml").code == 0
    sent = project.sent("PUT", f"{DEPLOYMENTS}/blue")[0].json
    assert sent["code_configuration"]["code"] == "upload:up-code"


@pytest.mark.parametrize(
    "words", [("-f", "deploy/blue.yml"), ("-n", "blue", "-e", "my-endpoint", "--set", "type=managed")]
)
def test_an_update_that_changes_nothing_says_so(project: Studio, slipway: Slipway, words: tuple[str, ...]):
    project.answers["GET", f"{DEPLOYMENTS}/blue"].pop(0)
    project.on("PUT", f"{DEPLOYMENTS}/blue", {"operation": None})
    ran = slipway("online-deployment", "update", *words)
    assert ran.code == 0 and "Nothing to change." in ran.err
    assert not project.sent("PATCH", f"{DEPLOYMENTS}/blue")


def test_an_update_that_says_nothing_is_a_usage_error(project: Studio, slipway: Slipway):
    assert slipway("online-deployment", "update", "-n", "blue", "-e", "my-endpoint").code == 2


def test_an_unknown_field_in_set_is_refused_here(project: Studio, slipway: Slipway):
    project.answers["GET", f"{DEPLOYMENTS}/blue"].pop(0)
    ran = slipway("online-deployment", "update", "-n", "blue", "-e", "my-endpoint", "--set", "instance_cont=2")
    assert ran.code == 1 and "did you mean 'instance_count'?" in ran.err


def test_delete_asks_first_and_does_nothing_without_a_terminal(project: Studio, slipway: Slipway):
    ran = slipway("online-deployment", "delete", "-n", "blue", "-e", "my-endpoint")
    assert ran.code == 1
    assert not project.sent("DELETE", f"{DEPLOYMENTS}/blue")


def test_delete_with_yes_deletes(project: Studio, slipway: Slipway):
    project.on("DELETE", f"{DEPLOYMENTS}/blue", DONE)
    ran = slipway("online-deployment", "delete", "-n", "blue", "-e", "my-endpoint", "--yes", "--no-wait")
    assert (ran.code, ran.out) == (0, "")
    assert project.sent("DELETE", f"{DEPLOYMENTS}/blue")


def test_missing_log_lines_are_told_apart_from_those_there_are(project: Studio, slipway: Slipway):
    told = "3.0 MiB of older lines were dropped: older than 30 days."
    project.on_call("GET", f"{DEPLOYMENTS}/blue/logs", lambda _: (200, "text/plain", b"one\n", {HEADER: told}))
    ran = slipway("online-deployment", "get-logs", "-n", "blue", "-e", "my-endpoint")
    assert (ran.out, ran.err) == ("one\n", f"{told}\n")


def test_logs_are_printed_as_they_are(project: Studio, slipway: Slipway):
    project.on_text("GET", f"{DEPLOYMENTS}/blue/logs", "one\nUpdated successfully\n")
    words = ("-n", "blue", "--endpoint", "my-endpoint", "-l", "20", "--container", "storage-initializer")
    ran = slipway("online-deployment", "get-logs", *words)
    assert (ran.code, ran.out) == (0, "one\nUpdated successfully\n")
    asked = project.sent("GET", f"{DEPLOYMENTS}/blue/logs")[0].query
    assert asked == {"container": "storage-initializer", "lines": "20"}
