"""A folder of documents is what runs: applied as a whole, twice, pruned, and as it was written in 2021."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import RunningStudio

pytestmark = pytest.mark.slow

OLD = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json
name: written-in-2021
type: online
auth_mode: key
traffic:
  blue: 100
deployments:
  - name: blue
    model:
      name: diabetes-2021
      version: 1
      local_path: model
    code_configuration:
      code:
        local_path: onlinescoring
      scoring_script: score.py
    environment:
      name: sklearn-2021
      version: 1
      path: .
      conda_file: file:environment/conda.yaml
      docker:
        image: mcr.microsoft.com/azureml/openmpi3.1.2-ubuntu18.04:20210727.v1
    instance_type: Standard_DS3_v2
    scale_settings:
      scale_type: manual
      instance_count: 1
"""


@pytest.fixture
def folder(sample_folder: Path, tmp_path: Path) -> Path:
    """The sample's files, with a second deployment and an endpoint that splits over both."""
    found = Path(shutil.copytree(sample_folder, tmp_path / "diabetes"))
    blue = (found / "blue-deployment.yml").read_text()
    (found / "green.yml").write_text(blue.replace("name: blue", "name: green"))
    (found / "declared.yml").write_text("name: declared\ntraffic: {blue: 90, green: 10}\n")
    for name in ("blue-deployment.yml", "green.yml"):
        text = (found / name).read_text().replace("my-endpoint", "declared")
        (found / name).write_text(text)
    (found / "old.yml").write_text(OLD)
    return found


def asked(studio: RunningStudio, *words: str, folder: Path) -> Any:
    """What the command line answers, as values."""
    return studio.slipway_json(*words, cwd=folder)


@pytest.fixture
def cleaned(studio: RunningStudio) -> Iterator[RunningStudio]:
    yield studio
    for name in json.loads(studio.slipway("online-endpoint", "list", "--query", "[].name").stdout):
        studio.slipway("online-endpoint", "delete", "-n", name, "--yes")


def test_documents_are_applied_as_a_whole_and_what_leaves_them_is_pruned(cleaned: RunningStudio, folder: Path):
    files = ("-f", "declared.yml", "blue-deployment.yml", "green.yml")
    planned = asked(cleaned, "plan", *files, folder=folder)
    assert [one["action"] for one in planned] == ["create", "create", "create", "update"]
    cleaned.slipway("apply", *files, cwd=folder)
    split = ("online-endpoint", "show", "-n", "declared", "--query", "traffic")
    assert cleaned.slipway_json(*split) == {"blue": 90, "green": 10}
    assert "Nothing to change." in cleaned.slipway("apply", *files, cwd=folder).stderr

    (folder / "declared.yml").write_text("name: declared\ntraffic: {blue: 100}\n")
    kept = ("-f", "declared.yml", "blue-deployment.yml")
    done = cleaned.slipway("apply", *kept, "--prune", "--yes", cwd=folder)
    assert "declared/green: left the documents" in done.stderr
    left = cleaned.slipway_json("online-deployment", "list", "-e", "declared", "--query", "[].name")
    assert (left, cleaned.slipway_json(*split)) == (["blue"], {"blue": 100})


def test_the_article_of_2021_runs_as_it_was_written(cleaned: RunningStudio, folder: Path):
    name = ("-n", "written-in-2021")
    created = cleaned.slipway("ml", "endpoint", "create", *name, "-f", "old.yml", cwd=folder)
    assert "2021 format" in created.stderr
    assert json.loads(created.stdout)["deployments"][0]["provisioning_state"] == "Succeeded"
    request = ("--request-file", "sample-request.json")
    assert len(asked(cleaned, "ml", "endpoint", "invoke", *name, *request, folder=folder)) == 2
    logs = cleaned.slipway("ml", "endpoint", "get-logs", *name, "--deployment", "blue").stdout
    assert "Request processed: 2 rows" in logs
    change = ("--set", "deployments[0].scale_settings.instance_count=2")
    scaled = asked(cleaned, "ml", "endpoint", "update", *name, *change, folder=folder)
    assert scaled["deployments"][0]["instance_count"] == 2
    assert asked(cleaned, "ml", "endpoint", "list-keys", *name, folder=folder)["primaryKey"]
    cleaned.slipway("ml", "endpoint", "delete", *name, "--yes")
