"""`slipway setting`"""

from __future__ import annotations

from collections.abc import Callable

from tests.cli.conftest import Ran, Studio

Slipway = Callable[..., Ran]
LIMIT = {"name": "endpoints", "value": 60, "unit": "", "default": 100, "title": "Endpoints"}


def test_settings_are_listed(studio: Studio, slipway: Slipway):
    studio.on("GET", "settings", [LIMIT])
    assert slipway("setting", "list").json == [LIMIT]
    assert "Endpoints" in slipway("setting", "list", "-o", "table").out


def test_a_setting_is_set_with_a_note_and_reset(studio: Studio, slipway: Slipway):
    studio.on("PUT", "settings/endpoints", LIMIT)
    studio.on("DELETE", "settings/endpoints", LIMIT)
    assert slipway("setting", "set", "--name", "endpoints", "--value", "60", "--note", "new host").json == LIMIT
    assert studio.sent("PUT", "settings/endpoints")[0].json == {"value": 60, "note": "new host"}
    assert slipway("setting", "reset", "-n", "endpoints").json == LIMIT


def test_loans_are_listed_extended_and_repaid(studio: Studio, slipway: Slipway):
    loan = {"endpoint": "risk", "deployment": "blue", "family": "DSv2", "cores": 8, "ends_at": "2026-01-31T18:00:00Z"}
    path = "online-endpoints/risk/deployments/blue/loan"
    studio.on("GET", "loans", [loan])
    studio.on("PATCH", path, loan)
    studio.on("DELETE", path, {"operation": None})
    assert slipway("loan", "list").json == [loan]
    assert slipway("loan", "extend", "-n", "blue", "-e", "risk", "--hours", "2").json == loan
    assert studio.sent("PATCH", path)[0].json == {"hours": 2}
    assert slipway("loan", "repay", "-n", "blue", "-e", "risk").code == 0


def test_a_stopped_deployment_is_started_on_a_loan(studio: Studio, slipway: Slipway):
    path = "online-endpoints/risk/deployments/blue"
    studio.on("POST", f"{path}/start", {"operation": None})
    studio.on("GET", path, {"name": "blue"})
    ran = slipway("online-deployment", "start", "-n", "blue", "-e", "risk", "--shared-pool-hours", "8")
    assert ran.json == {"name": "blue"}
    assert studio.sent("POST", f"{path}/start")[0].json == {"shared_pool_hours": 8}
