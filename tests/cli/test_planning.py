"""`slipway plan`"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran, Studio
from tests.cli.test_deployments import project  # noqa: F401  # the article's files, and a studio that takes them

Slipway = Callable[..., Ran]
SAME = {"endpoint": "my-endpoint", "deployment": "", "action": "nothing", "changes": [], "replaced": [], "started": 0,
        "stopped": 0, "quota": "", "effects": []}  # fmt: skip
ROLL = {**SAME, "deployment": "blue", "action": "update", "replaced": ["blue-1", "blue-2"], "started": 1,
        "changes": [{"field": "environment_variables.A", "before": None, "after": "b"}],
        "quota": "16 of 24 free DSv3 cores", "effects": ["100 % of live requests come here."]}  # fmt: skip


def test_the_documents_are_sent_in_order_and_the_plan_is_told(
    project: Studio,  # noqa: F811
    slipway: Slipway,
    tmp_path: Path,
):
    (tmp_path / "endpoint.yml").write_text("name: my-endpoint\ntags: {team: risk}\n")
    project.on("POST", "plan", [SAME, ROLL])
    ran = slipway("plan", "-f", "endpoint.yml", "deploy/blue.yml", "--set", "description=new")
    endpoint, deployment = project.sent("POST", "plan")[0].json["documents"]
    assert endpoint == {"name": "my-endpoint", "tags": {"team": "risk"}, "description": "new"}
    assert deployment["code_configuration"]["code"] == "upload:up-code"
    assert ran.code == 0 and ran.json == [SAME, ROLL]
    for line in (
        "= endpoint my-endpoint: nothing to change",
        "~ deployment my-endpoint/blue",
        "environment_variables.A: - -> b",
        "restarts 2: blue-1, blue-2",
        "started: 1 instances",
        "quota: 16 of 24 free DSv3 cores",
        "traffic: 100 % of live requests come here.",
    ):
        assert line in ran.err
    assert not project.sent("PUT", "online-endpoints/my-endpoint/deployments/blue")


def test_without_a_file_it_is_no_command(studio: Studio, slipway: Slipway):
    assert slipway("plan").code == 2


def test_a_refusal_is_the_plan(project: Studio, slipway: Slipway):  # noqa: F811
    project.refuse("POST", "plan", 400, "OutOfQuota", "Not enough quota for the DSv3 family.")
    ran = slipway("plan", "-f", "deploy/blue.yml")
    assert ran.code == 1 and "Not enough quota" in ran.err
