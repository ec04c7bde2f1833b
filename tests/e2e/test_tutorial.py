"""The tutorial's whole sequence through the command line, on the sample: every line a newcomer types."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import RunningStudio

pytestmark = pytest.mark.slow

ENDPOINT = "my-endpoint"


@pytest.fixture
def folder(sample_folder: Path, tmp_path: Path) -> Path:
    """The sample's files, free to be edited."""
    return Path(shutil.copytree(sample_folder, tmp_path / "diabetes"))


@pytest.fixture
def endpoint(studio: RunningStudio, folder: Path) -> Iterator[str]:
    """The tutorial's endpoint; gone afterwards with everything behind it."""
    studio.slipway("ml", "online-endpoint", "create", "--name", ENDPOINT, "-f", "endpoint.yml", cwd=folder)
    yield ENDPOINT
    studio.slipway("online-endpoint", "delete", "-n", ENDPOINT, "--yes")


def score(studio: RunningStudio, folder: Path) -> list[float]:
    """What `curl` does in the tutorial: the key and the address out of the command line, then plain HTTP."""
    key = studio.slipway(
        "online-endpoint", "get-credentials", "-n", ENDPOINT, "-o", "tsv", "--query", "primaryKey"
    ).stdout.strip()
    uri = studio.slipway(
        "online-endpoint", "show", "-n", ENDPOINT, "-o", "tsv", "--query", "scoring_uri"
    ).stdout.strip()
    request = urllib.request.Request(
        uri,
        data=(folder / "sample-request.json").read_bytes(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        predictions: list[float] = json.load(answer)
    return predictions


def test_the_tutorial_from_the_first_command_to_the_last(studio: RunningStudio, folder: Path, endpoint: str):
    blue = ("-name", "blue", "--endpoint", endpoint)
    deploy_inline(studio, folder, blue)
    register_assets(studio, folder)
    replace_by_registered(studio, folder, blue)
    update_the_script(studio, folder, blue)


def deploy_inline(studio: RunningStudio, folder: Path, blue: tuple[str, ...]) -> None:
    """Model, environment and code straight from files; called by name, by traffic, and by plain HTTP."""
    done = studio.slipway(
        "online-deployment", "create", *blue, "-f", "blue-deployment.yml", "--all-traffic", cwd=folder
    )
    assert json.loads(done.stdout)["provisioning_state"] == "Succeeded"
    assert "Wait until they are ready: 1 of 1" in done.stderr
    shown = studio.slipway_json("online-endpoint", "show", "-n", ENDPOINT, "--query", "[traffic, provisioning_state]")
    assert shown == [{"blue": 100}, "Succeeded"]
    invoked = studio.slipway_json(
        "online-endpoint", "invoke", "--name", ENDPOINT, "--request-file", "sample-request.json", cwd=folder
    )
    assert invoked == score(studio, folder)
    logs = studio.slipway("online-deployment", "get-logs", *blue).stdout
    assert "Init complete" in logs and "Request processed: 2 rows" in logs
    staged = studio.slipway("online-deployment", "get-logs", *blue, "--container", "storage-initializer").stdout
    assert "Staging revision 1" in staged


def register_assets(studio: RunningStudio, folder: Path) -> None:
    """The same files under names and versions of their own."""
    model = studio.slipway_json("model", "create", "-n", "my-model", "-v", "1", "-f", "model.yml", cwd=folder)
    assert isinstance(model, dict) and (model["name"], model["version"], model["file_count"]) == ("my-model", "1", 1)
    studio.slipway("environment", "create", "-n", "my-env", "-v", "1", "-f", "environment.yml", cwd=folder)
    assert "my-model" in studio.slipway("model", "list", "--output", "table").stdout


def replace_by_registered(studio: RunningStudio, folder: Path, blue: tuple[str, ...]) -> None:
    """A deployment with live traffic cannot go; after its traffic it can, and comes back from registered assets."""
    refused = studio.slipway("online-deployment", "delete", *blue, "--yes", check=False)
    assert refused.returncode == 1 and "--traffic" in refused.stderr
    studio.slipway("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=0")
    studio.slipway("online-deployment", "delete", *blue, "--yes")
    file = "blue-deployment-with-registered-assets.yml"
    created = studio.slipway_json("online-deployment", "create", *blue, "-f", file, "--all-traffic", cwd=folder)
    assert isinstance(created, dict) and created["model"] == "azureml:my-model:1"
    assert len(score(studio, folder)) == 2


def update_the_script(studio: RunningStudio, folder: Path, blue: tuple[str, ...]) -> None:
    """What init() logs after an update is in the log."""
    script = folder / "onlinescoring" / "score.py"
    script.write_text(script.read_text().replace("Init complete", "Updated successfully"))
    file = "blue-deployment-with-registered-assets.yml"
    studio.slipway("online-deployment", "update", *blue, "-f", file, cwd=folder)
    assert "Updated successfully" in studio.slipway("online-deployment", "get-logs", *blue).stdout
    again = studio.slipway("online-deployment", "update", *blue, "-f", file, cwd=folder)
    assert "Nothing to change." in again.stderr


def test_a_script_that_fails_says_where_and_what_to_do(studio: RunningStudio, folder: Path, endpoint: str):
    script = folder / "onlinescoring" / "score.py"
    script.write_text("import not_there\n" + script.read_text())
    failed = studio.slipway(
        "online-deployment", "create", "-n", "bad", "-e", endpoint, "-f", "blue-deployment.yml", cwd=folder, check=False
    )
    assert failed.returncode == 1
    assert "UserScriptImportError" in failed.stderr and "not_there" in failed.stderr
    assert "What to do:" in failed.stderr and "Traceback" in failed.stderr
    state = studio.slipway_json(
        "online-deployment", "show", "-n", "bad", "-e", endpoint, "--query", "provisioning_state"
    )
    assert state == "Failed"


def test_what_was_deleted_is_not_found(studio: RunningStudio):
    gone = studio.slipway("online-endpoint", "show", "-n", "never-there", check=False)
    assert (gone.returncode, gone.stdout) == (3, "")
