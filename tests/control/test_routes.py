"""The published route table: what is in it, its version, and how it gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from endpoints.control import routes
from endpoints.control.route_delivery import file_version
from endpoints.models import (
    EndpointKeys,
    Instance,
    OnlineDeployment,
    OnlineEndpoint,
    RouteVersion,
    StudioSetting,
    TokenSigningKey,
)
from endpoints.spec import tokens
from tests.control.conftest import Studio


@pytest.fixture
def published(studio: Studio, django_capture_on_commit_callbacks):
    """Publishes and reads what gateways would."""

    def publish(names: list[str] | None = None) -> dict[str, Any]:
        with django_capture_on_commit_callbacks(execute=True):
            routes.publish(names)
        table: dict[str, Any] = json.loads((studio.home / "routes" / "routes.json").read_text())
        return table

    return publish


def test_limits_of_connections_hold_for_all_endpoints_and_go_again(studio: Studio, published):
    studio.deployment()
    StudioSetting.objects.create(name="active_connections", value=500)
    table = published()
    assert (table["connections"], list(table["endpoints"])) == ({"active": 500}, ["house"])
    StudioSetting.objects.all().delete()
    assert (published(["house"])["connections"], published()["connections"]) == ({"active": 500}, {})


def ready(studio: Studio, deployment: OnlineDeployment, name: str, port: int, **values: object) -> Instance:
    values = {"state": "Ready", "revision": 1, "host": "127.0.0.1"} | values
    return Instance.objects.create(id=name, deployment=deployment, port=port, **values)


def test_an_endpoint_carries_keys_traffic_mirror_and_its_ready_instances(studio: Studio, published):
    blue = studio.deployment(request_settings={"max_concurrent_requests_per_instance": 4, "request_timeout_ms": 9000})
    OnlineEndpoint.objects.update(traffic={"blue": 100, "green": 0}, mirror_traffic={"green": 10})
    EndpointKeys.objects.create(
        endpoint=blue.endpoint, primary_secret=b"", primary_digest="aa", secondary_secret=b"", secondary_digest="bb"
    )
    ready(studio, blue, "blue-1", 5001)
    house = published()["endpoints"]["house"]
    assert (house["key_digests"], house["traffic"]) == (["aa", "bb"], {"blue": 100})
    assert house["mirror"] == {"deployment": "green", "percent": 10}
    deployment = house["deployments"]["blue"]
    assert deployment["instances"] == [{"id": "blue-1", "host": "127.0.0.1", "port": 5001}]
    assert (deployment["max_concurrent_requests_per_instance"], deployment["request_timeout_ms"]) == (4, 9000)


@pytest.mark.parametrize(
    ("key", "sticky"),
    [({"header": "x-user"}, {"kind": "header", "name": "x-user"}), ({"json": "a.b"}, {"kind": "json", "name": "a.b"})],
)
def test_what_was_said_about_the_gateway_is_routed(studio: Studio, published, key, sticky):
    studio.deployment()
    rates = {"requests_per_second": 7, "bytes_per_second": 8}
    said = {"traffic_key": key, "cors_origins": ["*"], "max_payload_bytes": 9, **rates}
    OnlineEndpoint.objects.update(gateway_settings=said)
    OnlineDeployment.objects.update(gateway_settings={"retry": False})
    house = published()["endpoints"]["house"]
    assert (house["sticky"], house["cors_origins"]) == (sticky, ["*"])
    assert (house["requests_per_second"], house["max_payload_bytes"], house["bytes_per_second"]) == (7, 9, 8)
    assert house["deployments"]["blue"]["is_retry_allowed"] is False


@pytest.mark.parametrize(
    "values", [{"state": "Starting"}, {"state": "Unready"}, {"state": "Draining"}, {"state": "Failed"}]
)
def test_only_ready_instances_are_routed(studio: Studio, published, values):
    ready(studio, studio.deployment(), "blue-1", 5001, **values)
    assert "instances" not in published()["endpoints"]["house"]["deployments"]["blue"]


def test_while_a_new_revision_rolls_the_limits_of_the_old_one_hold(studio: Studio, published):
    blue = studio.deployment(request_settings={"request_timeout_ms": 1000})
    studio.revise(blue, 2, request_settings={"request_timeout_ms": 2000})
    OnlineDeployment.objects.update(revision=2, observed_revision=1)
    assert published()["endpoints"]["house"]["deployments"]["blue"]["request_timeout_ms"] == 1000
    OnlineDeployment.objects.update(observed_revision=2)
    assert published()["endpoints"]["house"]["deployments"]["blue"]["request_timeout_ms"] == 2000


def test_an_image_with_a_server_of_its_own_is_scored_at_its_path(studio: Studio, published):
    route = {"port": 8080, "path": "/health"}
    config = {"liveness_route": route, "readiness_route": route, "scoring_route": {"port": 8080, "path": "/v2/infer"}}
    studio.deployment(environment=studio.environment(inference_config=config))
    assert published()["endpoints"]["house"]["deployments"]["blue"]["scoring_path"] == "/v2/infer"


def test_a_token_endpoint_carries_public_keys_only(studio: Studio, published):
    studio.endpoint()
    OnlineEndpoint.objects.update(auth_mode="aml_token")
    TokenSigningKey.objects.create(id="k1", private_secret=b"secret", public_pem="PEM")
    token = published()["endpoints"]["house"]["token"]
    assert token == {"issuer": tokens.ISSUER, "audience": tokens.audience("house"), "public_keys": {"k1": "PEM"}}


def test_nothing_is_published_where_nothing_changed(studio: Studio, published):
    studio.deployment()
    first = published()["version"]
    written_at = (studio.home / "routes" / "routes.json").stat().st_mtime_ns
    assert published()["version"] == first
    assert (studio.home / "routes" / "routes.json").stat().st_mtime_ns == written_at


def test_a_change_of_one_endpoint_leaves_the_others_as_they_are(studio: Studio, published):
    studio.deployment(endpoint="a")
    studio.deployment(endpoint="b")
    before = published()
    OnlineEndpoint.objects.update(traffic={"blue": 100})
    after = published(["a"])
    assert after["version"] == before["version"] + 1
    assert after["endpoints"]["a"]["traffic"] == {"blue": 100}
    assert after["endpoints"]["b"] == before["endpoints"]["b"]


def test_a_deleted_endpoint_leaves_the_table(studio: Studio, published):
    studio.endpoint("a")
    studio.endpoint("b")
    published()
    OnlineEndpoint.objects.filter(name="a").update(deletion_requested_at=studio.clock.now())
    assert list(published(["a"])["endpoints"]) == ["b"]


def test_gateways_hear_nothing_of_a_transaction_that_is_not_committed(studio: Studio):
    studio.endpoint()
    routes.publish()
    assert file_version(studio.home / "routes" / "routes.json") == -1


def test_the_file_holds_digests_and_is_for_the_owner_only(studio: Studio, published):
    studio.endpoint()
    published()
    assert (studio.home / "routes" / "routes.json").stat().st_mode & 0o777 == 0o600


def test_a_lost_or_damaged_file_is_written_again(studio: Studio, published):
    studio.endpoint()
    whole = published()
    path = studio.home / "routes" / "routes.json"
    for damage in (lambda: path.unlink(), lambda: path.write_text("{")):
        damage()
        routes.repair()
        assert json.loads(path.read_text()) == whole


def test_after_a_restored_backup_the_version_goes_on_above_what_gateways_saw(studio: Studio, published):
    studio.endpoint("a")
    published()
    RouteVersion.objects.update(version=1)
    path = studio.home / "routes" / "routes.json"
    path.write_text(path.read_text().replace('{"version":1,', '{"version":41,'))
    routes.repair()
    assert json.loads(path.read_text())["version"] == 42
    studio.endpoint("b")
    assert published()["version"] == 43


def test_one_endpoints_publication_costs_the_same_whatever_else_exists(studio: Studio, django_assert_max_num_queries):
    for number in range(30):
        studio.endpoint(f"e{number}")
    routes.publish()
    OnlineEndpoint.objects.filter(name="e7").update(traffic={"x": 100})
    with django_assert_max_num_queries(14):
        routes.publish(["e7"])


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (None, None),
        ({}, {"sample_percent": 100, "max_per_second": 10, "keeps_requests": False}),
        (
            {"sample_percent": 5, "keep_requests": True, "ignored_paths": ["$.at"]},
            {"sample_percent": 5, "max_per_second": 10, "keeps_requests": True},
        ),
        (
            {"keep_requests": True, "examples": 0},
            {"sample_percent": 100, "max_per_second": 10, "keeps_requests": False},
        ),
    ],
)
def test_gateways_learn_what_to_sample_and_none_of_the_rules(
    stored: object, sent: object, studio: Studio, published
) -> None:
    studio.deployment()
    OnlineEndpoint.objects.update(mirror_traffic={"green": 10}, comparison=stored)
    assert published()["endpoints"]["house"]["mirror"].get("comparison") == sent
