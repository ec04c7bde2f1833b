"""`slipway online-endpoint rollout …`"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpoints.cli.commands import rollouts
from tests.cli.conftest import Ran, Studio

Slipway = Callable[..., Ran]
WHERE = "online-endpoints/risk/rollouts"
PLAN = """
endpoint_name: risk
from: blue
to: green
stages: [{percent: 10, seconds: 30}, {percent: 100, seconds: 30}]
gates: [{metric: error_rate, max: 1}]
"""
SIDE = {"requests": 40, "error_percent": 25.0, "p50_ms": 8.0, "p99_ms": 31.5, "codes": {"200": 30, "424": 10}}
EVIDENCE = {
    "gates": [{"verdict": "Broken", "metric": "ErrorPercentage", "value": 25.0, "limit": 1.0, "old_value": 0.0}],
    "window": {"new": SIDE, "old": {**SIDE, "codes": {"200": 360}}},
    "log": ["ERROR division by zero"],
}


def stage(number: int, state: str, detail: str = "") -> dict[str, Any]:
    return {"number": number, "title": f"{number} %", "state": state, "detail": detail}


def rollout(state: str = "Running", *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "number": 3,
        "endpoint_name": "risk",
        "from_deployment": "blue",
        "to_deployment": "green",
        "state": state,
        "stage": 0,
        "text": "Waiting: 3 of 30 s.",
        "stages": stages or [stage(0, "Running"), stage(1, "Pending")],
        "now": {"green": {"recent": SIDE, "stage": SIDE}},
        "finished_at": None if state in ("Running", "Paused") else "2026-01-31T12:00:00Z",
        "evidence": None,
        **more,
    }


@pytest.fixture(autouse=True)
def plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(rollouts, "_LOOK_EVERY_S", 0.0)
    (tmp_path / "plan.yml").write_text(PLAN)
    return tmp_path / "plan.yml"


def test_start_watches_stage_after_stage_to_a_good_end(studio: Studio, slipway: Slipway):
    done = [stage(0, "Succeeded", "Every gate holds."), stage(1, "Succeeded", "Every gate holds.")]
    studio.on("POST", WHERE, rollout(), status=201)
    studio.on("GET", f"{WHERE}/3", rollout(), rollout("Succeeded", *done, text="Every stage passed."))
    ran = slipway("online-endpoint", "rollout", "start", "-f", "plan.yml")
    assert (ran.code, ran.json["state"]) == (0, "Succeeded")
    assert "done  0 %: Every gate holds." in ran.err and "Every stage passed." in ran.err
    assert studio.sent("POST", WHERE)[0].json["from_deployment"] == "blue"


def test_a_breach_is_exit_code_1_with_the_evidence(studio: Studio, slipway: Slipway):
    text = "ErrorPercentage was 25, above the limit of 1."
    gone = rollout("RolledBack", stage(0, "Failed", text), stage(1, "Skipped"), text=text, evidence=EVIDENCE)
    studio.on("POST", WHERE, rollout(), status=201)
    studio.on("GET", f"{WHERE}/3", gone)
    ran = slipway("online-endpoint", "rollout", "start", "-f", "plan.yml")
    assert ran.code == 1 and f"RolledBack: {text}" in ran.err
    assert "Broken  ErrorPercentage: 25, limit 1, old 0" in ran.err
    assert "green: 30 answers 200, 10 answers 424; p50 8 ms, p99 31.5 ms" in ran.err
    assert "| ERROR division by zero" in ran.err


def test_without_waiting_it_only_starts(studio: Studio, slipway: Slipway):
    studio.on("POST", WHERE, rollout(), status=201)
    assert slipway("online-endpoint", "rollout", "start", "-f", "plan.yml", "--no-wait").json["state"] == "Running"


def test_a_plan_with_a_mistake_is_not_sent(studio: Studio, slipway: Slipway, plan: Path):
    plan.write_text(PLAN.replace("percent: 100", "percent: 5"))
    ran = slipway("online-endpoint", "rollout", "start", "-f", "plan.yml")
    assert ran.code == 1 and "Stage 2 takes 5 %, no more than the 10 % before it." in ran.err
    assert not studio.asked


@pytest.mark.parametrize("verb", ["pause", "resume", "promote", "abort"])
def test_verbs_find_the_newest_rollout(studio: Studio, slipway: Slipway, verb: str):
    studio.on("GET", WHERE, [rollout()])
    studio.on("GET", f"{WHERE}/3", rollout())
    studio.on("POST", f"{WHERE}/3/{verb}", rollout("Paused"))
    assert slipway("online-endpoint", "rollout", verb, "-n", "Risk").json["state"] == "Paused"


def test_one_can_be_named(studio: Studio, slipway: Slipway):
    studio.on("GET", f"{WHERE}/2", rollout())
    assert slipway("online-endpoint", "rollout", "show", "-n", "risk", "--rollout", "2").code == 0


def test_an_endpoint_without_one_says_so(studio: Studio, slipway: Slipway):
    studio.on("GET", WHERE, [])
    ran = slipway("online-endpoint", "rollout", "show", "-n", "risk")
    assert ran.code == 1 and "has no rollout yet" in ran.err


def test_the_table_says_where_each_stands(studio: Studio, slipway: Slipway):
    studio.on("GET", WHERE, [rollout(created_by="olga", created_at="2026-01-31T12:00:00Z")])
    head, _, row = slipway("online-endpoint", "rollout", "list", "-n", "risk", "-o", "table").out.splitlines()[:3]
    assert head.split()[:4] == ["Rollout", "From", "To", "State"]
    assert row.split()[:4] == ["3", "blue", "green", "Running"] and "1 of 2" in row
