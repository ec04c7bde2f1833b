"""The access log: JSON lines with the fields of Azure's AmlOnlineEndpointTrafficLog, sampled, written by the master."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import log
from typing import TYPE_CHECKING, Final

import msgspec

from endpoints.gateway.errors import STATUS_LINES
from endpoints.gateway.parsing import field

if TYPE_CHECKING:
    from endpoints.gateway.answering import Answering

MAX_FAILURES_A_SECOND: Final = 200
MAX_HELD_LINES: Final = 10_000


def _phrase(status: int) -> str:
    if status == 499:
        return "Client Closed Request"
    line = STATUS_LINES.get(status)
    return line.split(b" ", 2)[2].decode() if line else ""


class AccessLog:
    """Lines since they were last taken. `sample`: the part of successful requests that is logged; None: nothing is.

    until_next: how many successes until one is logged.
    """

    def __init__(self, sample: float | None, *, choose: Callable[[], float]) -> None:
        self._sample = sample or 0.0
        self._choose = choose
        self._failures_left = 0 if sample is None else MAX_FAILURES_A_SECOND
        self._failures_a_second = self._failures_left
        self._lines: list[bytes] = []
        self.until_next = self._gap()
        self.dropped = 0

    def wants(self, status: int) -> bool:
        """Whether this request is to be logged."""
        if status < 400:
            self.until_next -= 1
            if self.until_next > 0:
                return False
            self.until_next = self._gap()
            return self._sample > 0
        if self._failures_left > 0:
            self._failures_left -= 1
            return True
        return False

    def _gap(self) -> int:
        """How many successes to the next one in the sample: geometric, as if each had been drawn by itself."""
        if self._sample >= 1:
            return 1
        if self._sample <= 0:
            return 1 << 60
        return 1 + int(log(1 - self._choose()) / log(1 - self._sample))

    def add(self, exchange: Answering, *, at: float, seconds: float) -> None:
        """Note one request. `at`: Unix seconds of its end."""
        if len(self._lines) >= MAX_HELD_LINES:
            self.dropped += 1
            return
        head = exchange.head
        throttle = exchange.throttle
        agent = (field(head.fields, b"user-agent") or b"").decode("latin-1")
        model_seconds = max(exchange.model_seconds, 0.0)
        self._lines.append(
            msgspec.json.encode(
                {
                    "TimeGenerated": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
                    "Method": head.method.decode("latin-1"),
                    "Path": head.target.partition(b"?")[0].decode("latin-1"),
                    "EndpointName": exchange.endpoint.name if exchange.is_located else "",
                    "DeploymentName": exchange.deployment.name if exchange.is_chosen else "",
                    "InstanceId": exchange.instance.id if exchange.is_taken else "",
                    "Protocol": f"HTTP/1.{head.minor_version}",
                    "ResponseCode": exchange.status,
                    "ResponseCodeReason": exchange.reason or _phrase(exchange.status),
                    "ModelStatusCode": exchange.model_status or None,
                    "ModelStatusReason": _phrase(exchange.model_status),
                    "RequestPayloadSize": exchange.request_bytes,
                    "ResponsePayloadSize": exchange.answer_bytes,
                    "UserAgent": agent[:70],
                    "XRequestId": exchange.request_id.decode(),
                    "XMSClientRequestId": head.client_request_id.decode("latin-1"),
                    "TotalDurationMs": round(seconds * 1000, 3),
                    "RequestDurationMs": round(max(seconds - model_seconds, 0.0) * 1000, 3),
                    "ResponseDurationMs": round(model_seconds * 1000, 3),
                    "RequestThrottlingDelayMs": round(throttle.request.seconds * 1000) if throttle else 0,
                    "ResponseThrottlingDelayMs": round(throttle.answer.seconds * 1000) if throttle else 0,
                }
            )
        )

    def take(self) -> bytes:
        """All lines since the last call; called once a second."""
        self._failures_left = self._failures_a_second
        if not self._lines:
            return b""
        lines, self._lines = self._lines, []
        return b"\n".join(lines) + b"\n"
