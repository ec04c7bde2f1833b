"""Endpoints from a browser: made, changed, split, deleted, found; their keys shown only to those who may see them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from endpoints import services
from endpoints.models import OnlineEndpoint
from studio.access.models import User
from tests.pages import world
from tests.pages.conftest import visiting

RISK = ["diabetes-risk"]


def test_an_endpoint_is_created_and_shown(olivia: User) -> None:
    answer = visiting(olivia).post("/new/endpoint/", {"name": "Churn", "auth_mode": "key", "tags": "team=crm"})
    assert answer.headers["Location"] == "/endpoints/churn/"
    assert OnlineEndpoint.objects.get().tags == {"team": "crm"}


@pytest.mark.parametrize(("name", "reason"), [("a", "at least 3"), ("9lives", "must start"), ("", "required")])
def test_a_bad_name_is_refused_at_its_field(name: str, reason: str, olivia: User) -> None:
    answer = visiting(olivia).post("/new/endpoint/", {"name": name, "auth_mode": "key"})
    assert answer.status_code == 422
    assert reason in answer.text
    assert not OnlineEndpoint.objects.exists()


def test_a_taken_name_is_refused_at_its_field(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).post("/new/endpoint/", {"name": "diabetes-risk", "auth_mode": "key"})
    assert answer.status_code == 422
    assert "already" in answer.text


def test_words_about_an_endpoint_change(olivia: User, risk: OnlineEndpoint) -> None:
    visiting(olivia).post(reverse("endpoints:edit", args=RISK), {"description": "New", "tags": "a=b\nc=d"})
    risk.refresh_from_db()
    assert (risk.description, risk.tags) == ("New", {"a": "b", "c": "d"})


def test_the_split_is_set_as_a_whole(olivia: User, risk: OnlineEndpoint) -> None:
    shares = {"share-blue": "50", "share-green": "50", "share-shadow-xgb": "", "share-broken": "0"}
    answer = visiting(olivia).post(reverse("endpoints:traffic", args=RISK), shares)
    assert answer.status_code == 302
    risk.refresh_from_db()
    assert risk.traffic == {"blue": 50, "green": 50, "shadow-xgb": 0, "broken": 0}


@pytest.mark.parametrize(("blue", "reason"), [("30", "sum to 40%"), ("101", "less than or equal to 100")])
def test_a_split_that_is_not_whole_is_refused(blue: str, reason: str, olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia, **{"HX-Request": "true"})
    answer = client.post(reverse("endpoints:traffic", args=RISK), {"share-blue": blue, "share-green": "10"})
    assert answer.status_code == 422
    assert reason in answer.text
    assert f'value="{blue}"' in answer.text
    assert "<html" not in answer.text


def test_a_shadow_is_chosen_beside_the_split_and_taken_away_again(olivia: User, risk: OnlineEndpoint) -> None:
    shares = {"share-blue": "90", "share-green": "10"}
    url = reverse("endpoints:traffic", args=RISK)
    visiting(olivia).post(url, {**shares, "mirror": "shadow-xgb", "mirror-percent": "20"})
    risk.refresh_from_db()
    assert risk.mirror_traffic == {"shadow-xgb": 20}
    assert '<option value="shadow-xgb" selected>' in visiting(olivia).get(reverse("endpoints:detail", args=RISK)).text
    visiting(olivia).post(url, {**shares, "mirror": ""})
    risk.refresh_from_db()
    assert risk.mirror_traffic == {}


@pytest.mark.parametrize(
    ("shadow", "percent", "reason"),
    [("green", "10", "live or mirrored to"), ("shadow-xgb", "60", "At most 50 percent")],
)
def test_a_mirror_that_may_not_be_is_refused_at_its_field(
    shadow: str, percent: str, reason: str, olivia: User, risk: OnlineEndpoint
) -> None:
    shares = {"share-blue": "90", "share-green": "10", "mirror": shadow, "mirror-percent": percent}
    answer = visiting(olivia).post(reverse("endpoints:traffic", args=RISK), shares)
    assert answer.status_code == 422
    assert reason in answer.text


def test_how_the_gateway_treats_callers_is_set_and_shown(olivia: User, risk: OnlineEndpoint) -> None:
    wanted = {"cors_origins": "https://a.example\n", "key_kind": "header", "key_name": "x-user"}
    url = reverse("endpoints:settings", args=RISK)
    rates = {"requests_per_second": "9", "bytes_per_second": "5000000", "max_payload_bytes": "1024"}
    visiting(olivia).post(url, {**wanted, **rates})
    risk.refresh_from_db()
    assert risk.gateway_settings == {
        "cors_origins": ["https://a.example"],
        "traffic_key": {"header": "x-user"},
        "requests_per_second": 9,
        "bytes_per_second": 5000000,
        "max_payload_bytes": 1024,
    }
    assert "https://a.example</textarea>" in visiting(olivia).get(url).text
    assert "4.8\xa0MB a second" in visiting(olivia).get(reverse("endpoints:detail", args=RISK)).text
    assert "9 requests a second" in visiting(olivia).get(reverse("endpoints:detail", args=RISK)).text


def test_what_is_wrong_with_gateway_settings_stands_at_its_field(olivia: User, risk: OnlineEndpoint) -> None:
    wrong = {"cors_origins": "app.example", "key_kind": "json", "key_name": "a..b"}
    answer = visiting(olivia).post(reverse("endpoints:settings", args=RISK), wrong)
    assert answer.status_code == 422
    assert answer.text.count('class="error"') == 2
    assert "is no origin" in answer.text


def test_an_endpoint_is_deleted_after_it_said_what_goes_with_it(olivia: User, risk: OnlineEndpoint) -> None:
    client, url = visiting(olivia), reverse("endpoints:delete", args=RISK)
    assert "blue (3 instances), green (1 instance)" in client.get(url).text
    assert client.post(url).headers["Location"] == "/endpoints/"
    risk.refresh_from_db()
    assert risk.deletion_requested_at is not None


def test_keys_stand_on_no_page_until_they_are_asked_for(olivia: User, risk: OnlineEndpoint) -> None:
    keys = services.get_credentials(olivia, name="diabetes-risk")
    client = visiting(olivia)
    assert keys.primary not in client.get(reverse("endpoints:consume", args=RISK)).text  # type: ignore[union-attr]
    shown = client.post(reverse("endpoints:keys", args=RISK))
    assert keys.primary in shown.text  # type: ignore[union-attr]
    assert "no-store" in shown.headers["Cache-Control"]


def test_keys_are_never_shown_to_a_get(olivia: User, risk: OnlineEndpoint) -> None:
    assert visiting(olivia).get(reverse("endpoints:keys", args=RISK)).status_code == 405


def test_keys_are_refused_to_a_reader(rafael: User, risk: OnlineEndpoint) -> None:
    client = visiting(rafael, **{"HX-Request": "true"})
    answer = client.post(reverse("endpoints:keys", args=RISK))
    assert answer.status_code == 403
    assert "onlineEndpoints/listKeys/action" in answer.text
    assert reverse("endpoints:keys", args=RISK) not in client.get(reverse("endpoints:consume", args=RISK)).text


def test_one_key_is_regenerated_and_the_other_stays(olivia: User, risk: OnlineEndpoint) -> None:
    before = services.get_credentials(olivia, name="diabetes-risk")
    visiting(olivia).post(reverse("endpoints:regenerate-key", args=[*RISK, "secondary"]))
    after = services.get_credentials(olivia, name="diabetes-risk")
    assert before.primary == after.primary  # type: ignore[union-attr]
    assert before.secondary != after.secondary  # type: ignore[union-attr]


def test_samples_name_the_address(olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get(reverse("endpoints:consume", args=RISK))
    for word in (
        "curl http://localhost:8080/diabetes-risk/score",
        "urllib.request",
        "await fetch",
        "slipway online-endpoint",
    ):
        assert word in answer.text


def names(client: Client, query: str) -> list[str]:
    return [row.name for row in client.get(f"/endpoints/?{query}").context["page"]]


def test_the_list_is_filtered_by_words_and_state(olivia: User) -> None:
    world.endpoint(olivia, "churn", description="Who leaves")
    world.endpoint(olivia, "demand", generation=2)
    world.endpoint(olivia, "fraud", failure=world.FAILURE)
    client = visiting(olivia)
    assert names(client, "q=who+LEAVES") == ["churn"]
    assert names(client, "state=Busy") == ["demand"]
    assert names(client, "state=Failed") == ["fraud"]
    assert names(client, "state=Succeeded") == ["churn"]


def test_the_list_goes_on_on_the_next_page(olivia: User) -> None:
    OnlineEndpoint.objects.bulk_create(OnlineEndpoint(name=f"e-{number:04}") for number in range(120))
    client = visiting(olivia)
    assert names(client, "page=3")[0] == "e-0100"
    assert names(client, "page=99")[0] == "e-0100"
    assert "51 to 100 of 120" in client.get("/endpoints/?page=2").text


def test_the_list_asks_no_more_for_more_rows(
    olivia: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        world.deployment(world.endpoint(olivia, f"e-{number:02}", traffic={"blue": 100}), "blue")
    client = visiting(olivia)
    with django_assert_max_num_queries(10):
        client.get("/endpoints/")


def test_an_endpoints_page_asks_no_more_for_more_deployments(
    olivia: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    parent = world.endpoint(olivia)
    for number in range(12):
        world.deployment(parent, f"d-{number}")
    client = visiting(olivia)
    with django_assert_max_num_queries(16):
        client.get("/endpoints/diabetes-risk/")


def test_polling_goes_on_while_something_changes_and_then_only_watches(olivia: User, risk: OnlineEndpoint) -> None:
    client = visiting(olivia, **{"HX-Request": "true"})
    busy = client.get("/endpoints/diabetes-risk/")
    assert (busy.status_code, 'hx-trigger="every 1s"' in busy.text) == (200, True)
    settled = world.endpoint(olivia, "quiet")
    world.deployment(settled, "blue")
    answer = client.get("/endpoints/quiet/")
    assert (answer.status_code, 'hx-trigger="watch"' in answer.text) == (286, True)
    assert "every 1s" not in answer.text
