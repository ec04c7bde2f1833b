"""The test panel: what is sent, what comes back, and what the script wrote meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from endpoints.models import Instance, OnlineEndpoint
from endpoints.spec.home import Home
from studio.access.models import User
from tests.pages.conftest import visiting

URL = "/endpoints/diabetes-risk/test/"
HTMX = {"HX-Request": "true"}
CALL = "11111111-2222-4333-8444-555555555555"
SAMPLE = {"data": [[0.1, 0.2]]}


class Gateway(ThreadingHTTPServer):
    """A gateway, and an instance with its swagger, on one port of the loopback."""

    status = 200
    seen: list[tuple[dict[str, str], bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self._answer(200, json.dumps({"definitions": {"ServiceInput": {"example": SAMPLE}}}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(({key.lower(): value for key, value in self.headers.items()}, body))
        self._answer(self.server.status, b'{"score":[1,2]}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-request-id", CALL)
        self.send_header("azureml-model-deployment", "green")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway(settings) -> Iterator[Gateway]:
    server = Gateway(("127.0.0.1", 0), Handler)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def sent(**changes: object) -> dict[str, object]:
    return {"deployment": "", "content_type": "application/json", "body": '{"data": [1]}', **changes}


def test_the_panel_begins_with_the_running_scripts_sample(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    Instance.objects.filter(deployment__name="blue", state="Ready").update(port=gateway.server_port)
    page = visiting(olivia).get(URL).content.decode()
    assert "[0.1, 0.2]" in page
    assert "Live split" in page


def test_without_an_instance_it_begins_empty(olivia: User, risk: OnlineEndpoint) -> None:
    Instance.objects.all().delete()
    assert "{&quot;data&quot;: []}" in visiting(olivia).get(URL).content.decode()


def test_a_call_shows_status_deployment_and_answer(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    answer = visiting(olivia, **HTMX).post(URL, sent())
    page = answer.content.decode()
    assert (answer.status_code, "<html" in page) == (200, False)
    assert "200 OK" in page
    assert "<b>green</b>" in page
    assert "&quot;score&quot;: [1, 2]" in page
    assert f"/endpoints/diabetes-risk/test/log/{CALL}/?deployment=green" in page


def test_a_named_deployment_is_asked_by_header(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    visiting(olivia).post(URL, sent(deployment="green"))
    headers, body = gateway.seen[0]
    assert headers["azureml-model-deployment"] == "green"
    assert (headers["content-type"], body) == ("application/json", b'{"data": [1]}')


def test_a_file_is_sent_as_it_is(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    file = SimpleUploadedFile("pixel.png", b"\x89PNG\x00", content_type="image/png")
    assert "--data-binary @pixel.png" in visiting(olivia).post(URL, sent(body="not json", file=file)).content.decode()
    headers, body = gateway.seen[0]
    assert (headers["content-type"], body) == ("image/png", b"\x89PNG\x00")


def test_what_is_not_json_is_not_sent(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    answer = visiting(olivia, **HTMX).post(URL, sent(body='{\n "data": }'))
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#refusal")
    assert "line 2, column 10" in answer.content.decode()
    assert gateway.seen == []


def test_other_content_types_are_sent_unread(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    visiting(olivia).post(URL, sent(body="a,b\r\n1,2\r\n", content_type="text/csv"))
    assert gateway.seen[0][1] == b"a,b\n1,2\n"


def test_a_424_is_explained(olivia: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    gateway.status = 424
    page = visiting(olivia, **HTMX).post(URL, sent()).content.decode()
    assert "424 Failed Dependency" in page
    assert "The script raised an error" in page


def test_a_gateway_that_is_away_is_told(olivia: User, risk: OnlineEndpoint, settings) -> None:
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    answer = visiting(olivia, **HTMX).post(URL, sent())
    assert answer.status_code == 422
    assert "does not answer" in answer.content.decode()


def test_the_lines_of_the_call_and_no_others_are_shown(olivia: User, risk: OnlineEndpoint, settings) -> None:
    instance = risk.deployments.get(name="blue").instances.filter(state="Ready").first()
    assert instance is not None
    folder = Home(settings.SLIPWAY_HOME).deployment_logs("diabetes-risk", "blue") / instance.pk
    write_log(folder, ("Scoring 3 rows", CALL), ("somebody else", "99999999-2222-4333-8444-555555555555"))
    page = visiting(olivia, **HTMX).get(f"{URL}log/{CALL}/?deployment=blue&turn=1").content.decode()
    assert "Scoring 3 rows" in page
    assert "somebody else" not in page
    assert "turn=2" in page


def test_the_last_turn_asks_no_more(olivia: User, risk: OnlineEndpoint) -> None:
    page = visiting(olivia, **HTMX).get(f"{URL}log/{CALL}/?deployment=green&turn=4").content.decode()
    assert "hx-get" not in page
    assert "wrote nothing" in page


def test_who_may_not_score_is_refused(rafael: User, stefan: User, risk: OnlineEndpoint, gateway: Gateway) -> None:
    assert visiting(rafael).get(URL).status_code == 403
    assert visiting(rafael).post(URL, sent()).status_code == 403
    assert visiting(stefan).get(URL).status_code == 404
    assert visiting(stefan).get(f"{URL}log/{CALL}/?deployment=blue").status_code == 404
    assert gateway.seen == []


def write_log(folder: Path, *lines: tuple[str, str]) -> None:
    folder.mkdir(parents=True)
    records = [
        {"t": "2026-01-31T12:04:17.201Z", "level": "INFO", "logger": "root", "message": text, "request_id": call}
        for text, call in lines
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "inference-server.jsonl").write_text(text, encoding="utf-8")
