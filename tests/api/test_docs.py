"""The API's description: complete, without a warning, and readable under our content security policy."""

from __future__ import annotations

from dataclasses import fields
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from endpoints.spec.documents import OnlineDeploymentDocument
from studio.access.models import User


@pytest.fixture(scope="module")
def schema() -> Any:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--api-version", "v1", stdout=out)
    return yaml.safe_load(out.getvalue())


def operations(schema: Any) -> dict[str, Any]:
    return {one["operationId"]: one for path in schema["paths"].values() for one in path.values()}


def test_every_operation_is_described_with_its_answers(schema: Any) -> None:
    found = operations(schema)
    assert len(found) >= 50
    assert [name for name, one in found.items() if not one.get("description")] == []
    for one in found.values():
        assert one["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith("/Error")


def test_documents_are_described_by_the_classes_that_read_them(schema: Any) -> None:
    body = operations(schema)["online_deployments_create"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/yaml"}
    described = body["application/yaml"]["schema"]
    assert set(described["properties"]) == {field.name for field in fields(OnlineDeploymentDocument)}
    assert described["required"] == ["name", "endpoint_name"]
    settings = described["properties"]["request_settings"]["properties"]
    assert settings["request_timeout_ms"]["type"] == "integer"


def test_an_answer_is_described_with_its_fields(schema: Any) -> None:
    answer = schema["components"]["schemas"]["DeploymentDetail"]["allOf"]
    assert "code_configuration" in answer[0]["properties"]
    assert {"provisioning_state", "instances", "failure"} <= set(answer[1]["properties"])


def test_the_page_is_for_those_who_are_signed_in(client: Client, reader: User) -> None:
    assert client.get("/api/docs/").status_code == 302
    client.force_login(reader)
    page = client.get("/api/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "<style" not in text and "://" not in text.replace("http://www.w3.org", "")
    assert "<script>" not in text
    assert "unsafe-eval" not in page.headers["Content-Security-Policy"]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_page_works_in_a_browser(
    live_server: Any, client: Client, chromium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playwright.sync_api import sync_playwright

    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs a loop in this thread
    client.force_login(User.objects.create_user("rosa", is_superuser=True))
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(f"{live_server.url}/api/docs/")
        page.get_by_text("/api/v1/online-endpoints", exact=True).first.wait_for(timeout=20_000)
        browser.close()
    assert complaints == []
