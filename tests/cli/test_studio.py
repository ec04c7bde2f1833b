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
