"""Our own settings of the gateway in Azure's documents: what may be said, and what is refused where."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.errors import Invalid
from endpoints.spec.gateway_settings import without_defaults
from endpoints.spec.routes import MAX_PAYLOAD_BYTES


def read(**settings: Any) -> OnlineEndpointDocument:
    return OnlineEndpointDocument.read({"name": "risk", "gateway_settings": settings})


def wrong(**settings: Any) -> set[str]:
    with pytest.raises(Invalid) as refusal:
        read(**settings)
    return {detail.field for detail in refusal.value.details}


def test_nothing_said_is_azures_behaviour():
    settings = OnlineEndpointDocument.read({"name": "risk"}).gateway_settings
    assert (settings.cors_origins, settings.traffic_key, settings.requests_per_second) == ((), None, 0)
    assert settings.max_payload_bytes == MAX_PAYLOAD_BYTES
    assert without_defaults(settings) == {}


def test_a_document_with_all_of_it_comes_back_the_same():
    document = read(
        cors_origins=["https://app.example.org", "http://[::1]:3000", "*"],
        traffic_key={"json": "user.id"},
        requests_per_second="50",
        bytes_per_second=5_000_000,
        max_payload_bytes=1024,
    )
    assert OnlineEndpointDocument.read(document.to_json()) == document
    assert without_defaults(document.gateway_settings)["traffic_key"] == {"json": "user.id"}


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.org",
        "https://",
        "https://a b",
        "https://a/path",
        "https://*.example.org",
        "https://a\r\nx: y",
        "ftp://a",
        "http://[",
        "https://u@a",
    ],
)
def test_what_is_no_origin_is_refused_at_its_place(origin: str):
    assert wrong(cors_origins=["https://ok.example", origin]) == {"gateway_settings.cors_origins[1]"}


@pytest.mark.parametrize("key", [{}, {"header": "x-user", "json": "user"}])
def test_a_traffic_key_is_in_one_place(key: dict[str, str]):
    assert wrong(traffic_key=key) == {"gateway_settings.traffic_key.header"}


@pytest.mark.parametrize(("kind", "name"), [("header", "x user"), ("header", ""), ("json", "a..b"), ("json", "")])
def test_a_traffic_keys_name_is_checked(kind: str, name: str):
    assert wrong(traffic_key={kind: name}) == {f"gateway_settings.traffic_key.{kind}"}


def test_numbers_stay_within_what_the_gateway_counts():
    assert wrong(requests_per_second=-1, max_payload_bytes=2**70) == {
        "gateway_settings.requests_per_second",
        "gateway_settings.max_payload_bytes",
    }
    assert read(max_payload_bytes=0).gateway_settings.max_payload_bytes == MAX_PAYLOAD_BYTES


def test_a_deployment_may_turn_the_second_try_off():
    smallest = {"name": "blue", "endpoint_name": "risk", "instance_type": "x", "environment": "azureml:e:1"}
    document = OnlineDeploymentDocument.read({**smallest, "gateway_settings": {"retry": "false"}})
    assert without_defaults(document.gateway_settings) == {"retry": False}
    with pytest.raises(Invalid, match="did you mean 'retry'"):
        OnlineDeploymentDocument.read({**smallest, "gateway_settings": {"retries": 1}})
