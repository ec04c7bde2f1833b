"""What the gateway answers by itself: status, JSON body and headers. Nothing here comes from a model."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus} | {
    424: b"HTTP/1.1 424 Failed Dependency",
    413: b"HTTP/1.1 413 Content Too Large",
}
CLIENT_CLOSED: Final = 499


class Refusal(Exception):
    """A request the gateway answers itself. `code` is the stable word for programs and for counters.

    retry_after: whole seconds, 0 for no such header. is_final: the connection cannot be used any further.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[str] = (),
        retry_after: int = 0,
        is_final: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.retry_after = retry_after
        self.is_final = is_final

    def body(self) -> bytes:
        """`{"error": {"code", "message", "details"}}`."""
        details = [{"message": detail} for detail in self.details]
        return msgspec.json.encode({"error": {"code": self.code, "message": self.message, "details": details}})

    def fields(self) -> bytes:
        """Header lines of this kind of error, each preceded by CRLF."""
        lines = b"\r\ncontent-type: application/json"
        if self.retry_after:
            lines += b"\r\nretry-after: %d" % self.retry_after
        if self.status == 401:
            lines += b'\r\nwww-authenticate: Bearer realm="slipway"'
        return lines


def malformed(message: str, *, status: int = 400, code: str = "BadRequest") -> Refusal:
    """The bytes are not a request we are sure to read as everyone else does; the connection ends."""
    return Refusal(status, code, message, is_final=True)


def unauthorized(message: str) -> Refusal:
    return Refusal(401, "Unauthorized", message)


def no_endpoint(name: str) -> Refusal:
    return Refusal(404, "EndpointNotFound", f"There is no endpoint '{name}' here. Check the scoring URL.")


def no_deployment(endpoint: str, name: str) -> Refusal:
    return Refusal(
        404,
        "DeploymentNotFound",
        f"Endpoint '{endpoint}' has no deployment '{name}'. Check the azureml-model-deployment header.",
    )


def no_traffic(endpoint: str) -> Refusal:
    return Refusal(
        404,
        "NoTraffic",
        f"Endpoint '{endpoint}' has no deployment that receives traffic. Set its traffic, or name a deployment "
        "in the azureml-model-deployment header.",
    )


def request_timeout(timeout_ms: int) -> Refusal:
    return Refusal(
        408,
        "RequestTimeout",
        f"The model did not answer within {timeout_ms} ms (request_timeout_ms of the deployment).",
    )


def slow_client() -> Refusal:
    return Refusal(408, "SlowClient", "The request did not arrive in time.", is_final=True)


def payload_too_large(limit: int) -> Refusal:
    return Refusal(413, "PayloadTooLarge", f"The request body is larger than {limit} bytes.")


def too_many_pending(limit: int) -> Refusal:
    return Refusal(
        429,
        "TooManyPendingRequests",
        f"{limit} requests are in flight, which is the limit: 2 x max_concurrent_requests_per_instance x ready "
        "instances. Try again later, with back-off.",
        retry_after=1,
    )


def queue_wait_exceeded(wait_ms: int) -> Refusal:
    return Refusal(
        429,
        "QueueWaitExceeded",
        f"No instance was free within {wait_ms} ms (max_queue_wait_ms of the deployment). Try again later.",
        retry_after=1,
    )


def rate_limited(per_second: int) -> Refusal:
    return Refusal(
        429, "RateLimited", f"The endpoint accepts {per_second} requests a second. Try again later.", retry_after=1
    )


def too_many_connections(active: int) -> Refusal:
    what = f"{active} connections are open, which is this gateway's limit (active_connections)."
    return _connection_refused("TooManyConnections", what)


def too_many_new_connections(per_second: int) -> Refusal:
    what = f"This gateway accepts {per_second} new connections a second (new_connections_per_second)."
    return _connection_refused("TooManyNewConnections", what)


def _connection_refused(code: str, what: str) -> Refusal:
    advice = "Use connections again rather than opening one for each request, or try again later."
    return Refusal(429, code, f"{what} {advice}", retry_after=1, is_final=True)


def internal(request_id: str) -> Refusal:
    return Refusal(500, "InternalServerError", f"The gateway failed. Its log says more under request id {request_id}.")


def instance_failed(deployment: str) -> Refusal:
    return Refusal(
        500, "InstanceFailed", f"The connection to an instance of deployment '{deployment}' broke before it answered."
    )


def bad_answer(deployment: str) -> Refusal:
    return Refusal(500, "BadAnswer", f"An instance of deployment '{deployment}' sent an answer that is not valid HTTP.")


def no_instances(deployment: str, *, stopped: str = "") -> Refusal:
    if stopped:
        return Refusal(503, "DeploymentStopped", f"Deployment '{deployment}' is {stopped}")
    return Refusal(
        503,
        "NoReadyInstances",
        f"Deployment '{deployment}' has no ready instance at the moment. Try again shortly.",
        retry_after=2,
    )


def too_many_held(deployment: str, requests: int, size: int) -> Refusal:
    return Refusal(
        503,
        "TooManyHeldRequests",
        f"Deployment '{deployment}' is waking up, and as many requests wait for it as may: {requests}, or "
        f"{size} bytes (scaling.hold of the deployment). Try again shortly.",
        retry_after=5,
    )


def wake_timeout(deployment: str, seconds: float) -> Refusal:
    return Refusal(
        503,
        "WakeTimeout",
        f"Deployment '{deployment}' did not wake up within {seconds:.0f} s (scaling.hold.timeout of the deployment). "
        "Try again shortly.",
        retry_after=10,
    )


def not_woken(deployment: str, trouble: str) -> Refusal:
    return Refusal(
        503, "WakeFailed", f"Deployment '{deployment}' sleeps and could not be woken: {trouble}", retry_after=10
    )


def unreachable(deployment: str) -> Refusal:
    return Refusal(
        503,
        "InstanceUnreachable",
        f"No instance of deployment '{deployment}' accepts connections at the moment. Try again shortly.",
        retry_after=1,
    )
