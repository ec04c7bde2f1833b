"""`slipway online-endpoint comparison …`."""

from __future__ import annotations

from tests.cli.conftest import Studio
from tests.cli.test_deployments import Slipway

E = "online-endpoints/risk"
FOUND = {
    "state": "on", "shadow": "green", "agreement_percent": 97.5, "pairs": 42,
    "kinds": {"Exact": 39, "Different": 1, "NotComparable": 2, "Close": 0},
}  # fmt: skip
WORST = {
    "id": 7, "kind": "Different", "reason": "", "live_status": 200, "shadow_status": 200, "difference_count": 1,
    "request_id": "r-1", "at": "2026-01-31T12:00:00Z",
    "differences": [{"path": "$.n", "live": "1", "shadow": None, "size": None}],
}  # fmt: skip


def test_show_tells_the_rate(studio: Studio, slipway: Slipway):
    studio.on("GET", f"{E}/comparison", FOUND)
    assert slipway("online-endpoint", "comparison", "show", "-n", "Risk").json == FOUND
    lines = slipway("online-endpoint", "comparison", "show", "-n", "risk", "-o", "table").out.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["Exact", "39"], ["Different", "1"], ["NotComparable", "2"], ["Agreement", "97.50", "%"],
    ]  # fmt: skip


def test_examples_are_listed_and_one_is_shown_whole(studio: Studio, slipway: Slipway):
    studio.on("GET", f"{E}/comparison/examples", [WORST])
    studio.on("GET", f"{E}/comparison/examples/7", {**WORST, "live_answer": {"body": "1"}})
    listed = slipway("online-endpoint", "comparison", "examples", "-n", "risk", "--kind", "Different", "-o", "table")
    assert listed.out.splitlines()[2].split()[:2] == ["7", "Different"]
    assert studio.sent("GET", f"{E}/comparison/examples")[0].query == {"kind": "Different"}
    whole = slipway("online-endpoint", "comparison", "examples", "-n", "risk", "--example", "7")
    assert whole.json["live_answer"] == {"body": "1"}
    table = slipway("online-endpoint", "comparison", "examples", "-n", "risk", "--example", "7", "-o", "table")
    assert table.out.splitlines()[2].split() == ["$.n", "1", "-"]


def test_reset_asks_first(studio: Studio, slipway: Slipway):
    studio.on("POST", f"{E}/comparison/reset", None)
    assert slipway("online-endpoint", "comparison", "reset", "-n", "risk").code != 0
    assert not studio.asked
    assert slipway("online-endpoint", "comparison", "reset", "-n", "risk", "--yes").code == 0
    assert studio.sent("POST", f"{E}/comparison/reset")


def test_promote_names_the_share_and_shows_the_endpoint(studio: Studio, slipway: Slipway):
    studio.on("POST", f"{E}/comparison/promote", {"operation": None})
    studio.on("GET", E, {"name": "risk", "traffic": {"green": 100}})
    ran = slipway("online-endpoint", "comparison", "promote", "-n", "risk", "--percent", "50")
    assert (ran.code, ran.json["traffic"]) == (0, {"green": 100})
    assert studio.sent("POST", f"{E}/comparison/promote")[0].json == {"percent": 50}


def test_a_comparison_is_switched_on_and_off_like_any_setting(studio: Studio, slipway: Slipway):
    studio.on("GET", E, {"name": "risk", "comparison": None})
    studio.on("PATCH", E, {"operation": None})
    ran = slipway("online-endpoint", "update", "-n", "risk", "--set", "comparison.sample_percent=50")
    assert ran.code == 0, ran.err
    assert studio.sent("PATCH", E)[0].json["comparison"]["sample_percent"] == 50
    studio.answers["GET", E].clear()
    studio.on("GET", E, {"name": "risk", "comparison": {"sample_percent": 50}})
    assert slipway("online-endpoint", "update", "-n", "risk", "--remove", "comparison").code == 0
    assert studio.sent("PATCH", E)[1].json == {"comparison": None}
