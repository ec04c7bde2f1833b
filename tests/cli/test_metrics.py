"""`slipway monitor metrics …`, as `az monitor metrics` is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.conftest import Ran, Studio

ENDPOINT = (
    "/subscriptions/1/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/risk"
)
ADDRESS = "online-endpoints/risk/metrics"
DISK = {
    "name": "DiskUtilization",
    "unit": "%",
    "description": "Disk used",
    "series": [
        {"dimensions": {"deployment": "blue", "disk": "work", "instanceId": "blue-1"}, "values": [40.0, 41.25, None]},
        {"dimensions": {"deployment": "blue", "disk": "work", "instanceId": "blue-2"}, "values": [None, None, None]},
    ],
}
Slipway = Callable[..., Ran]


@pytest.fixture
def measured(studio: Studio) -> Studio:
    studio.on("GET", ADDRESS, {"endpoint": "risk", "range": "24h", "metrics": [DISK]})
    return studio


@pytest.mark.parametrize(
    ("words", "deployment"),
    [
        (["--resource", ENDPOINT], None),
        (["--resource", f"{ENDPOINT}/deployments/Blue"], "blue"),
        (["--resource", "risk"], None),
        (["--resource", "Risk/Blue"], "blue"),
        (["-e", "risk"], None),
        (["-e", "risk", "--resource", "blue"], "blue"),
    ],
)
def test_what_was_measured_is_named_by_an_id_or_plain_names(
    measured: Studio, slipway: Slipway, words: list[str], deployment: str | None
) -> None:
    names = ("--metrics", "DiskUtilization", "GpuEnergyJoules", "--offset", "24h")
    ran = slipway("monitor", "metrics", "list", *words, *names)
    assert ran.json["metrics"][0]["name"] == "DiskUtilization"
    asked = measured.sent("GET", ADDRESS)[0].query
    assert (asked["name"], asked["range"]) == ("DiskUtilization,GpuEnergyJoules", "24h")
    assert asked.get("deployment") == deployment


def test_a_table_has_the_newest_value_of_every_line(measured: Studio, slipway: Slipway) -> None:
    ran = slipway("monitor", "metrics", "list", "-e", "risk", "--metrics", "DiskUtilization", "-o", "table")
    first, second = ran.out.splitlines()[2:]
    assert first.split() == ["DiskUtilization", "deployment=blue", "disk=work", "instanceId=blue-1", "41.25", "%"]
    assert second.split() == ["DiskUtilization", "deployment=blue", "disk=work", "instanceId=blue-2", "%"]


def test_the_metrics_there_are_are_listed_with_their_units(measured: Studio, slipway: Slipway) -> None:
    ran = slipway("monitor", "metrics", "list-definitions", "-e", "risk", "-o", "table")
    assert ran.out.splitlines()[2].split() == ["DiskUtilization", "%", "Disk", "used"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-e", "risk"], "list-definitions"),
        (["--metrics", "X"], "--resource"),
        (["--metrics", "X", "--resource", "a/b/c"], "--resource"),
    ],
)
def test_what_is_missing_is_named(studio: Studio, slipway: Slipway, words: list[str], told: str) -> None:
    ran = slipway("monitor", "metrics", "list", *words)
    assert ran.code != 0
    assert told in ran.err
