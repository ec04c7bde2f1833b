"""The settings page: values, defaults, use; saved all or none; reset; what somebody may not change is not offered."""

from __future__ import annotations

from django.urls import reverse

from endpoints import selectors, services
from endpoints.models import OnlineEndpoint
from endpoints.selectors.studio_settings import settings_in_force
from studio.access.models import User
from studio.access.roles import assign
from tests.pages import world
from tests.pages.conftest import visiting


def sent(**changes: object) -> dict[str, object]:
    """What a browser sends: every field, and beside each what it was when the page was drawn."""
    form: dict[str, object] = {"note": ""}
    for name, value in settings_in_force().items():
        form[name] = form[f"initial-{name}"] = value
    return {**form, **changes}


def test_limits_stand_beside_their_use(olivia: User, risk: OnlineEndpoint) -> None:
    text = visiting(olivia).get(reverse("settings")).text
    for words in ("Deployments of one endpoint", 'aria-label="4 of 20"', "Azure: 500", "Keep 20 %"):
        assert words in text


def test_a_change_is_saved_with_its_note_and_listed(olivia: User) -> None:
    client = visiting(olivia)
    answer = client.post(reverse("settings"), sent(endpoints=60, note="new host"), follow=True)
    assert "Settings saved." in answer.text and "Endpoints: 100 to 60" in answer.text and "new host" in answer.text
    assert selectors.setting("endpoints") == 60
    assert "Endpoints: 100 to 60" in client.get(reverse("settings:history")).text


def test_what_somebody_else_saved_meanwhile_stays(olivia: User) -> None:
    stale = sent(deployments=400)
    services.set_studio_settings(olivia, values={"endpoints": 60})
    visiting(olivia).post(reverse("settings"), stale)
    assert (selectors.setting("endpoints"), selectors.setting("deployments")) == (60, 400)


def test_a_wrong_value_is_shown_at_its_field_and_nothing_is_saved(olivia: User) -> None:
    answer = visiting(olivia).post(reverse("settings"), sent(endpoints=60, mirror_percent=101))
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert selectors.setting("endpoints") == 100


def test_a_tick_taken_away_turns_the_reservation_off(olivia: User) -> None:
    form = sent()
    del form["quota_reservation"]
    visiting(olivia).post(reverse("settings"), {**form, "initial-quota_reservation": "True"})
    assert not selectors.has_reservation()


def test_a_reset_is_offered_where_a_value_was_changed(olivia: User) -> None:
    services.set_studio_settings(olivia, values={"endpoints": 60})
    url = reverse("settings:reset", args=["endpoints"])
    client = visiting(olivia)
    assert url in client.get(reverse("settings")).text
    assert url not in client.post(url, follow=True).text
    assert selectors.setting("endpoints") == 100
    assert client.post(reverse("settings:reset", args=["colour"])).status_code == 404


def test_a_reader_sees_values_and_is_offered_no_change(rafael: User) -> None:
    text = visiting(rafael).get(reverse("settings")).text
    assert "Save settings" not in text and "disabled" in text
    assert visiting(rafael).post(reverse("settings"), sent(endpoints=1)).status_code == 403
    assert visiting(rafael).post(reverse("settings:reset", args=["endpoints"])).status_code == 403


def test_a_person_without_the_right_does_not_see_the_area(stefan: User) -> None:
    assert reverse("settings") not in visiting(stefan).get(reverse("home")).text
    assign("AzureML Data Scientist", member := world.person("mara"))
    assert reverse("settings") in visiting(member).get(reverse("home")).text
