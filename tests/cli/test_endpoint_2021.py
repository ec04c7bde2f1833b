"""`slipway endpoint …`, as the articles of 2021 write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran, Studio
from tests.cli.test_applying import NOTHING, SHIFT, folder  # noqa: F401
from tests.cli.test_deployments import BLUE, DEPLOYMENTS, DONE, project  # noqa: F401

Slipway = Callable[..., Ran]
ENDPOINT = "online-endpoints/my-endpoint"


def test_show_holds_the_deployments(folder: Studio, slipway: Slipway):  # noqa: F811
    folder.on("GET", DEPLOYMENTS, [BLUE])
    ran = slipway("endpoint", "show", "-n", "my-endpoint", "--query", "deployments[0].provisioning_state", "-o", "tsv")
    assert (ran.code, ran.out.strip()) == (0, "Succeeded")


def test_a_path_into_the_list_of_deployments_changes_one(folder: Studio, slipway: Slipway):  # noqa: F811
    folder.on("GET", DEPLOYMENTS, [BLUE])
    scaled = {"field": "instance_count", "before": 1, "after": 2}
    folder.on("POST", "plan", [NOTHING, {**SHIFT, "deployment": "blue", "changes": [scaled]}])
    folder.on("PUT", f"{DEPLOYMENTS}/blue", DONE)
    ran = slipway("endpoint", "update", "-n", "my-endpoint", "--set", "deployments[0].scale_settings.instance_count=2")
    assert ran.code == 0, ran.err
    assert folder.sent("PUT", f"{DEPLOYMENTS}/blue")[0].json["instance_count"] == 2


def test_traffic_is_written_with_colons(folder: Studio, slipway: Slipway):  # noqa: F811
    folder.on("GET", DEPLOYMENTS, [])
    folder.on("POST", "plan", [SHIFT])
    ran = slipway("endpoint", "update", "--name", "my-endpoint", "--traffic", "blue:90,green:10")
    assert ran.code == 0, ran.err
    assert folder.sent("PATCH", ENDPOINT)[0].json["traffic"] == {"blue": 90, "green": 10}


def test_a_deployments_file_is_added(folder: Studio, slipway: Slipway, tmp_path: Path):  # noqa: F811
    folder.on("GET", DEPLOYMENTS, [])
    folder.on("POST", "plan", [NOTHING, {**NOTHING, "deployment": "green", "action": "create"}])
    options = ("--deployment", "green", "--deployment-file", "deploy/blue.yml")
    ran = slipway("endpoint", "update", "--name", "my-endpoint", *options)
    assert ran.code == 0, ran.err
    assert folder.sent("POST", DEPLOYMENTS)[0].json["name"] == "green"


def test_one_deployment_is_deleted_by_name(folder: Studio, slipway: Slipway):  # noqa: F811
    assert slipway("endpoint", "delete", "-n", "my-endpoint", "--deployment", "green", "--yes").code == 0
    assert folder.sent("DELETE", f"{DEPLOYMENTS}/green") and not folder.sent("DELETE", ENDPOINT)


def test_a_batch_endpoint_is_refused(folder: Studio, slipway: Slipway):  # noqa: F811
    ran = slipway("endpoint", "update", "-n", "e", "--type", "batch", "--traffic", "a:100")
    assert ran.code == 2 and "batch is not available" in ran.err


def test_nothing_to_change_is_a_usage_error(folder: Studio, slipway: Slipway):  # noqa: F811
    assert slipway("endpoint", "update", "-n", "my-endpoint").code == 2
