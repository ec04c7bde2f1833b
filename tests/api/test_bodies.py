"""What is sent and what comes back: documents, lists in pages, files, logs, errors in one shape."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from rest_framework.test import APIClient

from endpoints import services
from endpoints.models import EnvironmentVersion, Instance, OnlineDeployment, OnlineEndpoint
from endpoints.services.store import home
from endpoints.spec.dropped_logs import HEADER, note_dropped
from endpoints.telemetry.logs import followers
from studio.access.models import User
from tests.services import world

PARTS = "application/octet-stream"


def received(answer: Any) -> bytes:
    async def collect() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return async_to_sync(collect)()


def error(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()["error"]
    assert set(body) == {"code", "message", "details", "id"}
    return body


def test_a_document_may_come_as_yaml_and_errors_name_its_lines(door: APIClient) -> None:
    text = "name: risk\nauth_mode: key\ntraffick: {}\n"
    answer = door.post("/api/v1/online-endpoints", text, content_type="application/yaml")
    assert answer.status_code == 400
    (detail,) = error(answer)["details"]
    assert (detail["line"], "did you mean 'traffic'" in detail["message"]) == (3, True)
    good = door.post("/api/v1/online-endpoints", "name: risk\n", content_type="application/yaml")
    assert good.json()["operation"]["kind"] == "CreateEndpoint"


def test_all_errors_of_a_document_come_at_once(door: APIClient) -> None:
    answer = door.post("/api/v1/online-endpoints", {"name": "x", "auth_mode": "none", "tags": 3}, format="json")
    assert {detail["field"] for detail in error(answer)["details"]} == {"name", "auth_mode", "tags"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ('"text"', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ("a: [", "application/yaml", 400),
        ("x" * (1024 * 1024 + 1), "application/json", 413),
        ("name=risk", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_no_document_is_refused(
    door: APIClient, body: str | bytes, content_type: str, status: int
) -> None:
    answer = door.post("/api/v1/online-endpoints", body, content_type=content_type)
    assert answer.status_code == status
    assert error(answer)["message"]
    assert not OnlineEndpoint.objects.exists()


def test_an_unexpected_error_is_logged_with_the_id_the_caller_is_given(
    door: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(services, "create_endpoint", fail)
    with caplog.at_level(logging.ERROR):
        answer = door.post("/api/v1/online-endpoints", {"name": "risk"}, format="json")
    told = error(answer)
    assert (answer.status_code, told["code"]) == (500, "InternalServerError")
    assert told["id"] in told["message"] and told["id"] in caplog.text
    assert "secret of the house" in caplog.text and "secret" not in answer.content.decode()


def test_a_method_that_is_none_is_refused_in_the_same_shape(door: APIClient) -> None:
    assert error(door.delete("/api/v1/models"))["code"] == "MethodNotAllowed"


def test_nothing_changed_is_said_by_an_answer_without_operation(door: APIClient, workspace: object) -> None:
    answer = door.patch("/api/v1/online-endpoints/risk", {"description": ""}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"operation": None})


def test_a_shown_deployment_can_be_sent_back_and_changes_nothing(door: APIClient, workspace: object) -> None:
    shown = door.get("/api/v1/online-endpoints/risk/deployments/blue").json()
    assert (shown["model"], shown["provisioning_state"], shown["instances"]) == ("azureml:forest:1", "Creating", [])
    known = {key: value for key, value in shown.items() if key in services.document_of(_revision())}
    answer = door.put("/api/v1/online-endpoints/risk/deployments/blue", known, format="json")
    assert (answer.status_code, answer.json()) == (200, {"operation": None})


def _revision() -> Any:
    return OnlineDeployment.objects.get().revisions.get()


def test_document_and_address_speak_of_the_same_thing(door: APIClient, workspace: object, owner: User) -> None:
    other = door.put("/api/v1/online-endpoints/fraud", {"name": "risk"}, format="json")
    assert error(other)["details"][0]["field"] == "name"
    document = world.deployment_document(owner, name="green", endpoint_name="fraud")
    answer = door.post("/api/v1/online-endpoints/risk/deployments", document, format="json")
    assert error(answer)["details"][0]["field"] == "endpoint_name"


def test_ten_thousand_rows_come_in_pages(door: APIClient, db: None) -> None:
    OnlineEndpoint.objects.bulk_create([OnlineEndpoint(name=f"e-{number:05}") for number in range(10_000)])
    first = door.get("/api/v1/online-endpoints?limit=3")
    assert [row["name"] for row in first.json()] == ["e-00000", "e-00001", "e-00002"]
    assert first.headers["X-Total-Count"] == "10000"
    following = first.headers["Link"].partition(">")[0].removeprefix("<")
    assert [row["name"] for row in door.get(following).json()] == ["e-00003", "e-00004", "e-00005"]
    assert len(door.get("/api/v1/online-endpoints").json()) == 100
    last = door.get("/api/v1/online-endpoints?limit=5000&offset=9999")
    assert (len(last.json()), 'rel="next"' in last.headers["Link"]) == (1, False)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "offset=-1", "offset=1e9", "offset=" + "9" * 30])
def test_a_page_that_cannot_be_is_refused(door: APIClient, query: str) -> None:
    assert error(door.get(f"/api/v1/models?{query}"))["details"][0]["field"] == query.partition("=")[0]


def test_a_file_is_sent_in_parts_and_registered(door: APIClient) -> None:
    upload = door.post("/api/v1/uploads", {"purpose": "model", "root_name": "m.bin"}, format="json").json()
    files = f"/api/v1/uploads/{upload['id']}/files"
    assert door.put(f"{files}?offset=0", b"abc", content_type=PARTS).json() == {"size_bytes": 3}
    assert door.put(f"{files}?offset=3", b"def", content_type=PARTS).json() == {"size_bytes": 6}
    assert door.put(f"{files}?offset=9", b"x", content_type=PARTS).status_code == 409
    assert door.put(f"{files}?offset=-1", b"x", content_type=PARTS).status_code == 400
    assert door.get(f"/api/v1/uploads/{upload['id']}").json()["files"] == {"m.bin": 6}
    done = door.post(f"/api/v1/uploads/{upload['id']}/complete", {"unpack": False}, format="json").json()
    assert (done["size_bytes"], done["file_count"]) == (6, 1)
    model = {"name": "forest", "path": f"upload:{upload['id']}"}
    assert door.post("/api/v1/models", model, format="json").json()["version"] == "1"


def test_a_download_streams_a_zip(door: APIClient, workspace: object) -> None:
    answer = door.get("/api/v1/models/forest/versions/latest/download")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="forest-1.zip"'
    with zipfile.ZipFile(io.BytesIO(received(answer))) as archive:
        assert archive.read("model.pkl") == b"weights"


def test_keys_are_never_kept_by_a_cache(door: APIClient, workspace: object) -> None:
    assert door.get("/api/v1/online-endpoints/risk/keys").headers["Cache-Control"] == "no-store"


def log_line(message: str, level: str = "INFO", **more: str) -> str:
    return json.dumps({"t": "2026-01-31T12:04:17.201Z", "level": level, "logger": "user", "message": message, **more})


@pytest.fixture
def logged(workspace: object) -> None:
    folder = home().deployment_logs("risk", "blue") / "blue-0001"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [log_line("one"), log_line("two", "ERROR", request_id="r-2"), log_line("three")]
    (folder / "inference-server.jsonl").write_text("\n".join(lines) + "\n")


LOGS = "/api/v1/online-endpoints/risk/deployments/blue/logs"


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("", ["one", "two", "three"]),
        ("lines=1", ["three"]),
        ("level=error", ["two"]),
        ("text=hre", ["three"]),
        ("request_id=r-2", ["two"]),
        ("instance=blue-0001&lines=2", ["two", "three"]),
        ("instance=blue-0002", []),
        ("since=2026-02-01T00:00:00Z", []),
        ("container=storage-initializer", []),
    ],
)
def test_log_lines_are_chosen(door: APIClient, logged: None, query: str, messages: list[str]) -> None:
    answer = door.get(f"{LOGS}?{query}", headers={"accept": "application/jsonl"})
    lines = [json.loads(line) for line in received(answer).splitlines()]
    assert [line["message"] for line in lines] == messages
    assert all(line["instance"] == "blue-0001" for line in lines)


def test_logs_are_text_unless_json_is_asked_for(door: APIClient, logged: None) -> None:
    answer = door.get(LOGS, headers={"accept": "text/plain"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert received(answer).decode().splitlines()[1].endswith("two")


@pytest.fixture
def own_home(settings: Any, tmp_path: Path) -> None:
    settings.SLIPWAY_HOME = tmp_path


@pytest.mark.parametrize("form", ["text/plain", "application/jsonl"])
def test_lines_that_were_dropped_are_told_beside_those_that_are_left(
    own_home: None, door: APIClient, logged: None, form: str
) -> None:
    assert HEADER not in door.get(LOGS, headers={"accept": form}).headers
    until, now = (datetime(2026, 1, day, 9, 30, tzinfo=UTC) for day in (4, 6))
    folder = home().deployment_logs("risk", "blue")
    note_dropped(folder, size_bytes=3 * 1024**2, until=until, why="older than 30 days", now=now)
    answer = door.get(LOGS, headers={"accept": form})
    assert answer.headers[HEADER] == (
        "3.0 MiB of older lines, up to 2026-01-04 09:30 UTC, were dropped, last at 2026-01-06 09:30 UTC: "
        "older than 30 days."
    )
    assert len(received(answer).splitlines()) == 3


@pytest.mark.parametrize("query", ["lines=0", "lines=x", "since=yesterday", "container=none", "follow=maybe"])
def test_a_question_to_the_log_that_makes_no_sense_is_refused(door: APIClient, logged: None, query: str) -> None:
    answer = door.get(f"{LOGS}?{query}", headers={"accept": "text/plain"})
    assert (answer.status_code, error(answer)["details"][0]["field"]) == (400, query.partition("=")[0])


def test_a_build_log_that_is_followed_ends_with_its_build(door: APIClient, workspace: object) -> None:
    version = EnvironmentVersion.objects.get()
    log = home().environments / version.build_key / "build.jsonl"
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    log.write_text(log_line("Resolved 2 packages") + "\n")
    answer = door.get("/api/v1/environments/scoring/versions/1/build-log?follow=true")
    assert received(answer).decode().strip().endswith("Resolved 2 packages")


def test_a_session_needs_its_csrf_token_to_change_anything(owner: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    assert browser.get("/api/v1/me").status_code == 200
    assert browser.post("/api/v1/tokens", {"name": "x"}, content_type="application/json").status_code == 403


def test_a_made_token_works_and_is_listed_without_its_secret(door: APIClient) -> None:
    made = door.post("/api/v1/tokens", {"name": "CI"}, format="json").json()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made['token']}")
    assert client.get("/api/v1/me").json()["username"] == "olga"
    assert "token" not in door.get("/api/v1/tokens").json()[0]
    assert door.delete(f"/api/v1/tokens/{made['token_key']}").status_code == 204
    assert client.get("/api/v1/me").status_code == 401


def test_a_log_that_too_many_follow_is_read_all_the_same(
    door: APIClient, workspace: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "most", 0)
    logs = "/api/v1/online-endpoints/risk/deployments/blue/logs"
    assert door.get(f"{logs}?follow=true").status_code == 503
    assert door.get(logs).status_code == 200


def test_a_deployment_tells_which_of_its_instances_failed_last_and_why(door: APIClient, workspace: object) -> None:
    blue = OnlineDeployment.objects.get()
    gone = {"deployment": blue, "revision": 1, "exit_code": -9, "reason": "Killed by signal 9."}
    for number in range(7):
        moment = blue.created_at + timedelta(seconds=number)
        Instance.objects.create(id=f"blue-{number}", state="Failed", ended_at=moment, **gone)
    Instance.objects.create(id="blue-asked", state="Stopped", ended_at=blue.created_at + timedelta(days=1), **gone)
    failures = door.get("/api/v1/online-endpoints/risk/deployments/blue").json()["recent_failures"]
    assert [one["id"] for one in failures] == ["blue-6", "blue-5", "blue-4", "blue-3", "blue-2"]
    assert (failures[0]["exit_code"], failures[0]["reason"]) == (-9, "Killed by signal 9.")


def test_more_quota_is_asked_for_approved_and_recorded(door: APIClient) -> None:
    asked = door.post("/api/v1/quota-requests", {"family": "DSv2", "limit_cores": 300, "reason": "sale"}, format="json")
    answer = door.post(f"/api/v1/quota-requests/{asked.json()['id']}/approve", {"note": "until June"}, format="json")
    assert (answer.json()["state"], answer.json()["note"]) == ("Approved", "until June")
    family = next(one for one in door.get("/api/v1/quota").json() if one["family"] == "DSv2")
    assert family["limit_cores"] == 300
    newest = door.get("/api/v1/audit?actor=olga").json()[0]
    assert (newest["summary"], newest["door"]) == ("Approved 300 DSv2 cores", "api")
    assert door.get("/api/v1/audit?actor=nobody").json() == []
