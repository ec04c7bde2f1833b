"""`slipway online-endpoint …`"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from endpoints.cli.main import main
from tests.cli.conftest import Ran, Studio

Slipway = Callable[..., Ran]
ENDPOINT = {"name": "my-endpoint", "auth_mode": "key", "provisioning_state": "Succeeded",
            "traffic": {"blue": 100}, "scoring_uri": "http://x/my-endpoint/score"}  # fmt: skip
PATH = "online-endpoints/my-endpoint"


@pytest.fixture
def there(studio: Studio) -> Studio:
    studio.on("GET", PATH, ENDPOINT)
    studio.on("PATCH", PATH, {})
    return studio


def changed(studio: Studio) -> object:
    return studio.sent("PATCH", PATH)[0].json


def test_create_says_the_whole_document(there: Studio, slipway: Slipway, tmp_path: Path):
    there.on("PUT", PATH, {})
    (tmp_path / "e.yml").write_text("$schema: x\nname: ignored-name\nauth_mode: AMLToken\n")
    ran = slipway("online-endpoint", "create", "--name", "my-endpoint", "-f", "e.yml")
    assert (ran.code, ran.json) == (0, ENDPOINT)
    sent = there.sent("PUT", PATH)[0].json
    assert (sent["name"], sent["auth_mode"]) == ("my-endpoint", "aml_token")


def test_create_needs_no_file(there: Studio, slipway: Slipway):
    there.on("PUT", PATH, {})
    assert slipway("online-endpoint", "create", "-n", "My-Endpoint", "--auth-mode", "key").code == 0


def test_traffic_is_written_as_azure_writes_it(there: Studio, slipway: Slipway):
    words = ("-n", "my-endpoint", "--traffic", "blue=90 green=10")
    assert slipway("online-endpoint", "update", *words).code == 0
    assert changed(there) == {"traffic": {"blue": 90, "green": 10}}


def test_mirroring_leaves_the_split_alone(there: Studio, slipway: Slipway):
    assert slipway("online-endpoint", "update", "-n", "my-endpoint", "--mirror-traffic", "green=10").code == 0
    assert changed(there) == {"mirror_traffic": {"green": 10}}


def test_gateway_settings_are_set_by_their_path(there: Studio, slipway: Slipway):
    words = ("-n", "my-endpoint", "--set", "gateway_settings.traffic_key.header=x-user")
    assert slipway("online-endpoint", "update", *words).code == 0
    settings = changed(there)["gateway_settings"]  # type: ignore[index]
    assert (settings["traffic_key"], settings["requests_per_second"]) == ({"header": "x-user"}, 0)


@pytest.mark.parametrize("traffic", ["blue=60", "blue=60 green=60", "blue", "blue=x"])
def test_a_split_that_cannot_be_is_refused_before_it_is_sent(there: Studio, slipway: Slipway, traffic: str):
    ran = slipway("online-endpoint", "update", "-n", "my-endpoint", "--traffic", traffic)
    assert ran.code == 1 and "traffic" in ran.err
    assert not there.sent("PATCH", PATH)


def test_set_add_and_remove_change_single_fields(there: Studio, slipway: Slipway):
    there.answers["GET", PATH].clear()
    there.on("GET", PATH, {**ENDPOINT, "tags": {"a": "1", "b": "2"}})
    words = ("--set", "description=mine", "--add", "tags.c=3", "--remove", "tags.a")
    assert slipway("online-endpoint", "update", "-n", "my-endpoint", *words).code == 0
    assert changed(there) == {"description": "mine", "tags": {"b": "2", "c": "3"}}


def test_a_change_that_changes_nothing_sends_nothing(there: Studio, slipway: Slipway):
    ran = slipway("online-endpoint", "update", "-n", "my-endpoint", "--traffic", "blue=100")
    assert ran.code == 0 and "Nothing to change." in ran.err
    assert not there.sent("PATCH", PATH)


def test_credentials_can_be_put_into_a_variable(there: Studio, slipway: Slipway):
    there.on("GET", f"{PATH}/keys", {"primaryKey": "k1", "secondaryKey": "k2"})
    ran = slipway("online-endpoint", "get-credentials", "-n", "my-endpoint", "-o", "tsv", "--query", "primaryKey")
    assert ran.out == "k1\n"


def test_one_key_is_replaced(there: Studio, slipway: Slipway):
    there.on("POST", f"{PATH}/regenerate-keys", {"primaryKey": "k1", "secondaryKey": "k3"})
    ran = slipway("online-endpoint", "regenerate-keys", "-n", "my-endpoint", "--key-type", "secondary")
    assert ran.json["secondaryKey"] == "k3"
    assert there.sent("POST", f"{PATH}/regenerate-keys")[0].json == {"key_type": "secondary"}


def result(status: int, body: str, **headers: str) -> dict[str, object]:
    return {"status": status, "body": body, "body_encoding": "utf-8", "headers": headers, "request_id": "r"}


def test_invoke_prints_the_answer(there: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "r.json").write_text('{"data": [1]}')
    there.on("POST", f"{PATH}/invoke", result(200, "[11055.9, 4503.0]"))
    ran = slipway(
        "online-endpoint", "invoke", "--name", "my-endpoint", "--request-file", "r.json", "--deployment", "Green"
    )
    assert (ran.code, ran.json) == (0, [11055.9, 4503.0])
    asked = there.sent("POST", f"{PATH}/invoke")[0]
    assert asked.body == b'{"data": [1]}'
    assert asked.headers["azureml-model-deployment"] == "green"


def test_an_answer_that_is_no_json_is_text(there: Studio, slipway: Slipway, tmp_path: Path):
    (tmp_path / "r.json").write_text("{}")
    there.on("POST", f"{PATH}/invoke", result(200, "fine"))
    ran = slipway("online-endpoint", "invoke", "-n", "my-endpoint", "-r", "r.json", "-o", "tsv")
    assert ran.out == "fine\n"


def test_an_answer_that_is_no_text_comes_out_byte_by_byte(
    there: Studio, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    (tmp_path / "r.json").write_text("{}")
    there.on("POST", f"{PATH}/invoke", {**result(200, "/wD+"), "body_encoding": "base64"})
    assert main(["online-endpoint", "invoke", "-n", "my-endpoint", "-r", "r.json"]) == 0
    assert capfdbinary.readouterr().out == b"\xff\x00\xfe"


@pytest.mark.parametrize(("status", "code"), [(424, 1), (404, 3), (500, 1)])
def test_a_request_that_fails_says_what_the_endpoint_said(
    there: Studio, slipway: Slipway, tmp_path: Path, status: int, code: int
):
    (tmp_path / "r.json").write_text("{}")
    there.on("POST", f"{PATH}/invoke", result(status, "KeyError: 'data'"))
    ran = slipway("online-endpoint", "invoke", "-n", "my-endpoint", "-r", "r.json")
    assert ran.code == code
    assert f"The endpoint answered {status}" in ran.err and "KeyError: 'data'" in ran.err


def test_a_missing_request_file_is_a_usage_error(there: Studio, slipway: Slipway):
    assert slipway("online-endpoint", "invoke", "-n", "my-endpoint", "-r", "no.json").code == 2


def test_delete_waits_for_the_end(there: Studio, slipway: Slipway):
    running = {"id": "9", "kind": "DeleteEndpoint", "state": "Running", "steps": []}
    there.on("DELETE", PATH, {"operation": running})
    there.on("GET", "operations/9", running, {**running, "state": "Succeeded"})
    assert slipway("online-endpoint", "delete", "-n", "my-endpoint", "-y").code == 0
    assert len(there.sent("GET", "operations/9")) == 2


def test_what_the_studio_shows_as_unset_is_no_part_of_an_update(studio: Studio, slipway: Slipway):
    studio.on("GET", "online-endpoints/risk", {"name": "risk", "traffic": {"blue": 100}, "comparison": None})
    studio.on("PATCH", "online-endpoints/risk", {"operation": None})
    ran = slipway("online-endpoint", "update", "-n", "risk", "--traffic", "blue=90 green=10")
    assert ran.code == 0, ran.err
    assert studio.sent("PATCH", "online-endpoints/risk")[0].json == {"traffic": {"blue": 90, "green": 10}}
