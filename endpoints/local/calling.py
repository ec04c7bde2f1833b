"""One request to a local deployment, and its answer in the shape in which a studio gives it."""

from __future__ import annotations

import base64
import time

import httpx

from endpoints.cli.client import Json
from endpoints.cli.failures import CommandFailed
from endpoints.local.records import LocalDeployment

# A debugger may stand in run() for as long as it likes.
_TIMEOUT = httpx.Timeout(None, connect=5.0)


def call(deployment: LocalDeployment, body: bytes, *, content_type: str) -> Json:
    """Raises CommandFailed where nothing answers."""
    if not deployment.port:
        raise CommandFailed(f"The local deployment '{deployment.name}' does not run; update it to start it again.")
    address = f"http://{deployment.host}:{deployment.port}{deployment.scoring_path}"
    began = time.monotonic()
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            answer = client.post(address, content=body, headers={"Content-Type": content_type})
    except httpx.TransportError as error:
        message = f"The local deployment '{deployment.name}' does not answer ({error or type(error).__name__})."
        raise CommandFailed(message, hints=["See its log: slipway online-deployment get-logs --local"]) from error
    try:
        text, encoding = answer.content.decode(), "text"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(answer.content).decode(), "base64"
    return {
        "status": answer.status_code,
        "headers": dict(answer.headers),
        "body": text,
        "body_encoding": encoding,
        "seconds": time.monotonic() - began,
        "deployment": deployment.name,
        "request_id": answer.headers.get("x-request-id", ""),
    }
