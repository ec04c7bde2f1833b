"""Calling an endpoint through a gateway on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from endpoints import services
from endpoints.spec.errors import Conflict, NotFound, Unavailable
from studio.access.models import User
from tests.people import person
from tests.services import world


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, and 424 for the body `fail`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(424 if body == b"fail" else 200)
        self.send_header("x-request-id", "r-1")
        self.send_header("azureml-model-deployment", self.headers.get("azureml-model-deployment", "blue"))
        self.send_header("x-asked", f"{self.path} {self.headers['Authorization']} {self.headers['Content-Type']}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def gateway(settings: Any) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = f"http://127.0.0.1:{server.server_port}"
    yield
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_body_goes_on_as_it_is_with_the_endpoints_key(teammate: User, gateway: None) -> None:
    world.endpoint(teammate)
    result = services.invoke(teammate, endpoint="risk", body=b"\x00\xff", content_type="application/octet-stream")
    keys = services.get_credentials(teammate, name="risk")
    assert isinstance(keys, services.Keys)
    assert result.headers["x-asked"] == f"/risk/score Bearer {keys.primary} application/octet-stream"
    assert (result.status, result.body, result.deployment, result.request_id) == (200, b"\x00\xff", "blue", "r-1")


def test_a_deployment_is_asked_by_name(teammate: User, gateway: None) -> None:
    world.endpoint(teammate)
    assert services.invoke(teammate, endpoint="risk", deployment="green", body=b"{}").deployment == "green"


def test_an_error_of_the_model_is_an_answer(teammate: User, gateway: None) -> None:
    world.endpoint(teammate)
    assert services.invoke(teammate, endpoint="risk", body=b"fail").status == 424


def test_the_callers_own_authorisation_stays_here(teammate: User, gateway: None) -> None:
    world.endpoint(teammate)
    headers = {"Authorization": "Bearer mine", "X-Asked-By": "me"}
    result = services.invoke(teammate, endpoint="risk", body=b"", headers=headers)
    assert "mine" not in result.headers["x-asked"]


def test_a_token_is_made_where_the_endpoint_wants_one(teammate: User, gateway: None) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aml_token"})
    bearer = services.invoke(teammate, endpoint="risk", body=b"{}").headers["x-asked"].split()[2]
    assert bearer.count(".") == 2


def test_a_gateway_that_is_away_is_told_as_such(teammate: User, settings: Any) -> None:
    settings.SLIPWAY_GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    world.endpoint(teammate)
    with pytest.raises(Unavailable, match=r"gateway at http://127\.0\.0\.1:9 does not answer"):
        services.invoke(teammate, endpoint="risk", body=b"{}")


def test_tokens_of_an_identity_provider_are_the_callers_own(teammate: User) -> None:
    services.create_endpoint(teammate, document={"name": "risk", "auth_mode": "aad_token"})
    with pytest.raises(Conflict, match="identity provider"):
        services.invoke(teammate, endpoint="risk", body=b"{}")


def test_a_scorer_may_call_what_they_cannot_see_and_a_stranger_nothing(
    teammate: User, stranger: User, gateway: None
) -> None:
    world.endpoint(teammate)
    scorer = person("scorer", "Endpoint Scorer", endpoint="risk")
    assert services.invoke(scorer, endpoint="risk", body=b"{}").status == 200
    with pytest.raises(NotFound):
        services.invoke(stranger, endpoint="risk", body=b"{}")
