"""The split from a browser: what can be taken back, and when it no longer can."""

from __future__ import annotations

from django.urls import reverse

from endpoints import services
from endpoints.models import OnlineEndpoint
from studio.access.models import User
from tests.pages.conftest import visiting

NAME = "diabetes-risk"
DETAIL = "/endpoints/diabetes-risk/"
SPLIT = {"share-blue": "50", "share-green": "50", "mirror": "shadow-xgb", "mirror-percent": "20"}


def test_the_last_change_is_said_and_can_be_taken_back(olivia: User, risk: OnlineEndpoint) -> None:
    client, url = visiting(olivia), reverse("endpoints:traffic", args=[NAME])
    client.post(url, SPLIT)
    undo = client.get(DETAIL).context["undo"]
    assert undo.summary == "blue 90 → 50 %, green 10 → 50 %, mirror shadow-xgb 0 → 20 %"
    client.post(url, undo.fields)
    risk.refresh_from_db()
    assert {name: share for name, share in risk.traffic.items() if share} == {"blue": 90, "green": 10}
    assert risk.mirror_traffic == {}


def test_taking_back_can_itself_be_taken_back(olivia: User, risk: OnlineEndpoint) -> None:
    client, url = visiting(olivia), reverse("endpoints:traffic", args=[NAME])
    client.post(url, SPLIT)
    client.post(url, client.get(DETAIL).context["undo"].fields)
    client.post(url, client.get(DETAIL).context["undo"].fields)
    risk.refresh_from_db()
    assert (risk.traffic["blue"], risk.mirror_traffic) == (50, {"shadow-xgb": 20})


def test_what_somebody_else_has_set_since_is_not_offered_to_be_overwritten(olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    client.post(reverse("endpoints:traffic", args=[NAME]), SPLIT)
    services.set_traffic(olivia, name=NAME, traffic={"blue": 100})
    assert client.get(DETAIL).context["undo"] is None


def test_a_refused_split_is_not_remembered(olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia)
    client.post(reverse("endpoints:traffic", args=[NAME]), {"share-blue": "30"})
    assert "Undo" not in client.get(DETAIL).text


def test_a_reader_sees_the_split_and_no_field(rafael: User, risk: OnlineEndpoint) -> None:
    shown = visiting(rafael).get(DETAIL).text
    assert "blue 90 %" in shown
    assert "share-blue" not in shown
    assert "data-traffic" not in shown
