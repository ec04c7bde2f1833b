"""Calls through the gateway over plain HTTP, as any program makes them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import RunningStudio


@dataclass(frozen=True)
class Answer:
    """status: the model's own where the gateway tells it, else the gateway's."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def call(studio: RunningStudio, endpoint: str, body: Any, *, path: str = "score", **headers: str) -> Answer:
    """Ask `/<endpoint>/<path>` with the endpoint's key; body None asks by GET."""
    key = studio.slipway("online-endpoint", "get-credentials", "-n", endpoint, "-o", "tsv", "--query", "primaryKey")
    request = urllib.request.Request(
        f"{studio.gateway_url}/{endpoint}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key.stdout.strip()}", "Content-Type": "application/json", **headers},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return _answer(answer.status, answer)
    except urllib.error.HTTPError as refused:
        return _answer(int(refused.headers.get("ms-azureml-model-error-statuscode") or refused.code), refused)


def _answer(status: int, response: Any) -> Answer:
    return Answer(status, response.read(), {name.lower(): value for name, value in response.headers.items()})
