"""Local endpoints as processes: real environments, real instances, no studio anywhere."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.local.conftest import Slipway

pytestmark = pytest.mark.slow
BLUE = ("-n", "blue", "--endpoint", "on-my-desk")
HERE = ("--set", "backend=process")


@pytest.fixture
def blue(slipway: Slipway) -> dict[str, object]:
    created = slipway("ml", "online-deployment", "create", *BLUE, "-f", "blue.yml", *HERE)
    assert created.code == 0, created.err
    assert "one instance runs locally, not 3" in created.err
    shown: dict[str, object] = created.json
    return shown


def score(uri: object) -> object:
    request = urllib.request.Request(str(uri), data=b'{"data": 1}', headers={"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def test_an_endpoint_is_shown_as_azure_shows_a_local_one(slipway: Slipway, blue: dict[str, object]):
    slipway("online-endpoint", "create", "-n", "on-my-desk", "-f", "endpoint.yml")
    shown = slipway("online-endpoint", "show", "-n", "on-my-desk").json
    assert shown == {
        "auth_mode": "key",
        "location": "local",
        "name": "on-my-desk",
        "properties": {},
        "provisioning_state": "Succeeded",
        "scoring_uri": blue["scoring_uri"],
        "tags": {"team": "risk"},
        "traffic": {},
    }
    assert str(shown["scoring_uri"]).startswith("http://localhost:")


def test_it_answers_over_http_and_by_invoke_and_says_what_it_printed(slipway: Slipway, blue: dict[str, object]):
    assert score(blue["scoring_uri"]) == {"who": "nobody", "model": "weights"}
    invoked = slipway("online-endpoint", "invoke", "--name", "on-my-desk", "--request-file", "request.json")
    assert invoked.json == {"who": "nobody", "model": "weights"}
    logs = slipway("online-deployment", "get-logs", *BLUE).out
    assert "init of nobody" in logs and 'asked {"data": 1}' in logs
    staged = slipway("online-deployment", "get-logs", *BLUE, "--container", "storage-initializer").out
    assert "Staging revision 1" in staged


def test_an_update_answers_anew_and_leaves_one_instance(slipway: Slipway, blue: dict[str, object]):
    updated = slipway("online-deployment", "update", *BLUE, "--set", "environment_variables.WHO=me")
    assert updated.code == 0, updated.err
    assert score(updated.json["scoring_uri"]) == {"who": "me", "model": "weights"}
    with pytest.raises(OSError):
        score(blue["scoring_uri"])


def test_what_does_not_come_up_explains_itself_and_the_old_one_goes_on(
    slipway: Slipway, blue: dict[str, object], folder: Path
):
    (folder / "code/score.py").write_text("def init():\n    raise ValueError('no such weights')\n\n\ndef run(d): ...\n")
    failed = slipway("online-deployment", "update", *BLUE, "-f", "blue.yml")
    assert failed.code == 1
    assert "UserScriptInitFailed" in failed.err and "no such weights" in failed.err and "line 2" in failed.err
    assert slipway("online-endpoint", "show", "-n", "on-my-desk").json["provisioning_state"] == "Failed"
    assert score(blue["scoring_uri"]) == {"who": "nobody", "model": "weights"}


def test_a_script_mended_after_a_failure_is_the_one_that_runs(slipway: Slipway, folder: Path):
    good = (folder / "code/score.py").read_text()
    (folder / "code/score.py").write_text("def init(): ...\n")
    assert slipway("online-deployment", "create", *BLUE, "-f", "blue.yml", *HERE).code == 1
    (folder / "code/score.py").write_text(good)
    updated = slipway("online-deployment", "update", *BLUE, "-f", "blue.yml")
    assert updated.code == 0 and updated.json["provisioning_state"] == "Succeeded", updated.err


def test_an_endpoint_may_have_several_deployments(slipway: Slipway, blue: dict[str, object]):
    words = ("create", "-n", "green", "-e", "on-my-desk", "-f", "blue.yml", *HERE)
    assert slipway("online-deployment", *words, "--set", "environment_variables.WHO=green").code == 0
    assert slipway("online-deployment", "list", "-e", "on-my-desk", "--query", "[].name").json == ["blue", "green"]
    call = ("online-endpoint", "invoke", "-n", "on-my-desk", "--request-file", "request.json")
    assert slipway(*call).json["who"] == "green"
    assert slipway(*call, "--deployment", "blue").json["who"] == "nobody"


def test_an_instance_that_was_killed_is_seen_and_started_again(slipway: Slipway, blue: dict[str, object], folder: Path):
    (status,) = (folder / "home").glob("deployments/*/*/instances/*/status.json")
    os.kill(json.loads(status.read_text())["pid"], signal.SIGKILL)
    shown = slipway("online-deployment", "show", *BLUE).json
    assert shown["provisioning_state"] == "Failed" and "has ended" in shown["failure"]
    again = slipway("online-deployment", "update", *BLUE)
    assert again.code == 0 and score(again.json["scoring_uri"]), again.err


def test_deleting_leaves_no_process_and_no_record(slipway: Slipway, blue: dict[str, object], folder: Path):
    assert slipway("online-endpoint", "delete", "-n", "on-my-desk", "--yes").code == 0
    with pytest.raises(OSError):
        score(blue["scoring_uri"])
    assert slipway("online-endpoint", "show", "-n", "on-my-desk").code == 3
    assert not list((folder / "home" / "deployments").iterdir())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("online-endpoint", "show", "-n", "nothing"), 3, "no local endpoint 'nothing'"),
        (("online-deployment", "show", "-n", "x", "-e", "nothing"), 3, "no local endpoint"),
        (("online-endpoint", "create", "-n", "abc", "--set", "traffic.blue=100"), 2, "no split"),
        (("online-endpoint", "update", "-n", "abc", "--traffic", "blue=100"), 2, "no split"),
        (("online-deployment", "update", "-n", "x"), 2, "--endpoint-name"),
        (("model", "list"), 2, "'model' needs a studio"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(slipway: Slipway, words: tuple[str, ...], code: int, said: str):
    ran = slipway(*words)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_one_that_exists_is_not_created_again(slipway: Slipway, blue: dict[str, object]):
    again = slipway("online-deployment", "create", *BLUE, "-f", "blue.yml", *HERE)
    assert again.code == 1 and "exists already" in again.err


def test_a_registered_model_without_a_studio_says_where_it_was_looked_for(slipway: Slipway, folder: Path):
    words = ("create", *BLUE, "-f", "blue.yml", *HERE, "--set", "model=azureml:m:1")
    ran = slipway("online-deployment", *words)
    assert ran.code == 1 and "azureml:m:1" in ran.err and "No studio was found" in ran.err


def test_a_mistake_in_the_document_has_its_line(slipway: Slipway, folder: Path):
    (folder / "blue.yml").write_text(
        (folder / "blue.yml").read_text().replace("instance_count: 3", "instance_cuont: 3")
    )
    ran = slipway("online-deployment", "create", *BLUE, "-f", "blue.yml")
    assert ran.code == 1 and "instance_count" in ran.err and "line 7" in ran.err
