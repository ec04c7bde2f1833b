"""`endpoint.yml` as a value."""

from __future__ import annotations

import pytest

from endpoints.spec.documents import OnlineEndpointDocument, require_managed
from endpoints.spec.errors import Invalid


def read(**fields: object) -> OnlineEndpointDocument:
    return OnlineEndpointDocument.read({"name": "my-endpoint", **fields})


def errors(**fields: object) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read(**fields)
    return {error.field: error.message for error in caught.value.details}


def test_a_name_is_enough():
    document = read()
    assert (document.auth_mode, document.public_network_access, document.traffic) == ("key", "enabled", {})


@pytest.mark.parametrize(
    ("written", "mode"), [("key", "key"), ("Key", "key"), ("AMLToken", "aml_token"), ("AADToken", "aad_token")]
)
def test_auth_modes_are_read_in_both_spellings(written: str, mode: str):
    assert read(auth_mode=written).auth_mode == mode


def test_an_unknown_auth_mode_is_refused_in_azures_words():
    message = "Value 'none' passed is not in set ['aml_token', 'key', 'aad_token']"
    assert errors(auth_mode="none") == {"auth_mode": message}


@pytest.mark.parametrize("name", ["ab", "a" * 33])
def test_a_name_of_the_wrong_length_is_refused_in_azures_words(name: str):
    message = "The name for an endpoint must be at least 3 and at most 32 characters long (inclusive of both limits)."
    assert errors(name=name) == {"name": message}


@pytest.mark.parametrize("name", ["1abc", "abc-", "a_bc", "a.bc", "abc\n"])
def test_a_name_of_other_characters_is_refused_in_azures_words(name: str):
    expected = (
        "The name for an endpoint must start with an upper- or lowercase letter"
        " and only consist of '-'s and alphanumeric characters."
    )
    assert errors(name=name) == {"name": expected}


def test_names_are_lower_cased_in_traffic_too():
    document = read(name="My-Endpoint", traffic={"Blue": 100})
    assert (document.name, document.traffic) == ("my-endpoint", {"blue": 100})


@pytest.mark.parametrize("traffic", [{}, {"blue": 0}, {"blue": 100}, {"blue": "90", "green": 10}])
def test_traffic_of_0_or_100_is_read(traffic: dict[str, object]):
    assert sum(read(traffic=traffic).traffic.values()) in {0, 100}


def test_traffic_above_100_is_refused_in_azures_words():
    message = errors(traffic={"blue": 90, "green": 20})["traffic"]
    assert message.startswith("Traffic rule percentages must sum to less than or equal to 100%")


def test_traffic_of_60_is_refused():
    assert "0 or 100" in errors(traffic={"blue": 60})["traffic"]


def test_a_share_below_zero_is_named():
    assert set(errors(traffic={"blue": 110, "green": -10})) == {"traffic.blue", "traffic.green"}


def test_mirroring_has_one_target_that_is_not_live():
    assert "mirror_traffic" in errors(mirror_traffic={"green": 10, "red": 10})
    assert "mirror_traffic.green" in errors(mirror_traffic={"green": 101})
    assert "mirror_traffic.blue" in errors(traffic={"blue": 100}, mirror_traffic={"blue": 10})


@pytest.mark.parametrize("key", ["type", "deployments", "target"])
def test_keys_of_2021_are_refused_with_what_to_do(key: str):
    assert "2021" in errors(**{key: "x"})[key]


def test_a_cluster_must_be_referenced_and_is_refused_where_none_is_attached():
    assert "azureml:cluster" not in errors(compute="cluster")["compute"]
    document = read(compute="azureml:cluster")
    assert document.is_kubernetes
    with pytest.raises(Invalid, match="No Kubernetes cluster"):
        require_managed(document)


def test_a_second_user_identity_is_refused():
    found = errors(identity={"type": "UserAssigned", "user_assigned_identities": ["a", "b"]})
    assert set(found) == {"identity.user_assigned_identities"}


def test_every_wrong_tag_is_told_with_its_key():
    assert set(errors(tags={"a": [1], "b": {}, "c": 1})) == {"tags.a", "tags.b"}


def test_the_normalised_form_reads_back_to_the_same_value():
    document = read(traffic={"blue": 100}, mirror_traffic={"green": 10}, tags={"team": 7})
    assert OnlineEndpointDocument.read(document.to_json()) == document
