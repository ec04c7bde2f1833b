"""The client's half of a request: its state, what answers it and how it ends. Knows nothing of choosing or sending.

`Exchange` builds on this by way of `Forwarding`: one object a request, in three files by what they are about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from endpoints.gateway import errors
from endpoints.gateway.bandwidth import TRAILER_NAMES, Throttle
from endpoints.gateway.cors import MODEL_FIELDS
from endpoints.gateway.errors import CLIENT_CLOSED, STATUS_LINES, Refusal
from endpoints.gateway.flow import THROTTLED, UPSTREAM_FULL
from endpoints.gateway.parsing import AnswerHead, RequestHead
from endpoints.gateway.rendering import LAST_CHUNK, answer_start, chunk, connection_fields, status_line
from endpoints.gateway.upstream import Sink, UpstreamConnection

if TYPE_CHECKING:
    from endpoints.gateway.instances import Instance
    from endpoints.gateway.pairing import Mirroring
    from endpoints.gateway.protocol import ClientConnection
    from endpoints.gateway.routing import Deployment, Endpoint

logger = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 3  # of connecting; only one of sending again
OK_LINE: Final = STATUS_LINES[200]
_AS_IT_IS: Final = 0
_CHUNKED: Final = 1


class Answering(Sink):
    """A request from its validated head to the last byte of its answer.

    endpoint, deployment, instance: there from when they are found, chosen and taken; is_located, is_chosen and is_taken
    say whether. sent_at, model_seconds: when it went to an instance, how long that took to answer (-1: not asked, or no
    answer). reason: the error's code when the gateway itself refused or gave up.
    """

    __slots__ = (
        "_attempts",
        "_cors",
        "_framing",
        "_has_keys",
        "_is_entered",
        "_is_held",
        "_is_waiting_for_body",
        "_is_waiting_to_pass",
        "_mirror",
        "_parts",
        "_parts_size",
        "_progress",
        "answer_bytes",
        "client",
        "deployment",
        "endpoint",
        "head",
        "held_since",
        "hold_deadline",
        "instance",
        "is_answered",
        "is_body_complete",
        "is_chosen",
        "is_located",
        "is_over",
        "is_taken",
        "is_tunnel",
        "model_seconds",
        "model_status",
        "plane",
        "queue_deadline",
        "reason",
        "request_bytes",
        "request_id",
        "sent_at",
        "started_at",
        "status",
        "throttle",
        "upstream",
    )
    endpoint: Endpoint
    deployment: Deployment
    instance: Instance

    def __init__(self, client: ClientConnection, head: RequestHead, started_at: float) -> None:
        super().__init__(is_head_request=head.method == b"HEAD", is_sent=False)
        self.client = client
        self.plane = client.plane
        self.head = head
        self.started_at = started_at
        self.request_id = self.plane.request_ids.take()
        self.upstream: UpstreamConnection | None = None
        self.is_located = False
        self.is_chosen = False
        self.is_taken = False
        self.is_body_complete = False
        self.is_answered = False
        self.is_tunnel = False
        self.is_over = False
        self.request_bytes = 0
        self.answer_bytes = 0
        self.status = 0
        self.model_status = 0
        self.model_seconds = -1.0
        self.reason = ""
        self.sent_at = 0.0
        self.queue_deadline = 0.0
        self.held_since = 0.0
        self.hold_deadline = 0.0  # 0: it is not held
        self._attempts = 0
        self._cors = b""
        self._framing = _AS_IT_IS
        self._has_keys = False
        self._is_entered = False
        self._is_held = False
        self._is_waiting_for_body = False
        self._is_waiting_to_pass = False
        self._mirror: Mirroring | None = None
        self._parts: list[bytes] | None = None
        self._parts_size = 0
        self._progress = 0
        self.throttle: Throttle | None = None

    def on_answer(self, head: AnswerHead, body: bytes, is_complete: bool) -> None:
        """The instance answers; see Sink."""
        client, request = self.client, self.head
        self.is_answered = True
        self.model_status = head.status
        if self._mirror is not None:
            self._mirror.saw_answer(head, body)
        self.status = head.status if 200 <= head.status < 300 else 424
        is_keep_alive = client.is_keep_alive and self.is_body_complete and not self.plane.is_draining
        if head.content_length == len(body):
            fields = b"\r\ncontent-length: %d" % len(body)
        else:
            fields = self._frame(head, is_complete)
            if not is_complete and not fields:
                is_keep_alive = False  # HTTP/1.0: the end of the connection is the end of the answer
        client.is_keep_alive = is_keep_alive
        deployment = self.deployment
        model_fields = head.fields
        if self._cors:
            model_fields = MODEL_FIELDS.sub(b"", model_fields)
            fields += self._cors
        if request.client_request_id:
            fields += b"\r\nx-ms-client-request-id: " + request.client_request_id
        if not is_keep_alive or request.minor_version == 0:
            fields += connection_fields(request, is_keep_alive=is_keep_alive)
        if body and self._framing == _CHUNKED:
            body = chunk(body)
        start = answer_start(head.status, model_fields)
        data = b"".join((start, deployment.answer_fields, self.request_id, fields, b"\r\n\r\n", body))
        client.transport.write(data)
        self.answer_bytes = len(data)
        if self.throttle is not None:
            self._hold_back(self.throttle, len(body), is_last=is_complete)
        if is_complete:
            self._finish()
        else:
            self._arm_stream()

    def answer_usual(self, head: AnswerHead, body: bytes) -> None:
        """`on_answer` and `_finish` in one, for a good answer that came whole to a usual request."""
        client, plane, deployment, instance = self.client, self.plane, self.deployment, self.instance
        if not client.is_keep_alive or plane.is_draining:
            self.on_answer(head, body, True)
            return
        if not head.start:
            head.start = b"%b%b%b" % (OK_LINE, head.fields, deployment.answer_fields)
            head.ending = b"\r\ncontent-length: %d\r\n\r\n" % len(body)
        data = b"%b%b%b%b" % (head.start, self.request_id, head.ending, body)
        client.transport.write(data)
        self.is_over = self.is_answered = True
        self.upstream = None
        self.status = self.model_status = 200
        self.answer_bytes = len(data)
        now = plane.clock()
        self.model_seconds = now - self.sent_at
        if plane.board.others or instance.is_retired or deployment.is_retired or not deployment.is_open:
            instance.leave()
            deployment.leave()
            deployment.wake()
        else:
            instance.tally.own -= 1
            deployment.tally.own -= 1
        plane.record_usual(self, now)
        client.exchange_done(now)

    def _frame(self, head: AnswerHead, is_complete: bool) -> bytes:
        """The header that says where an answer ends, when it did not come whole with its length."""
        if head.content_length >= 0:
            return b"\r\ncontent-length: %d" % head.content_length
        if is_complete:  # to HEAD, or one that has no body by its code
            return b"" if self.is_head_request or head.status == 204 else b"\r\ncontent-length: 0"
        if self.head.minor_version == 0:
            return b""
        self._framing = _CHUNKED
        trailers = TRAILER_NAMES if self.throttle is not None else b""
        return trailers + b"\r\ntransfer-encoding: chunked"

    def on_piece(self, piece: bytes) -> None:
        """More of the answer; see Sink."""
        if self._mirror is not None:
            self._mirror.saw_piece(piece)
        if self._framing == _CHUNKED:
            piece = chunk(piece)
        self.answer_bytes += len(piece)
        self.client.transport.write(piece)
        if self.throttle is not None:
            self._hold_back(self.throttle, len(piece), is_last=False)

    def _hold_back(self, throttle: Throttle, size: int, *, is_last: bool) -> None:
        """Bytes of the answer have passed; the instance is not read from while that was too fast."""
        waits = throttle.pass_on(throttle.answer, size, self.plane.clock(), is_last=is_last)
        if waits and self.upstream is not None:
            self.upstream.pause(THROTTLED)

    def resume_answer(self) -> None:
        """The answer has waited for bandwidth."""
        if self.upstream is not None:
            self.upstream.resume(THROTTLED)

    def on_complete(self) -> None:
        """The answer has ended; see Sink."""
        if self._framing == _CHUNKED:
            end = LAST_CHUNK
            if self.throttle is not None:
                self.throttle.end(self.plane.clock())
                end = b"0\r\n%b\r\n" % self.throttle.trailer_fields()
            self.client.transport.write(end)
            self.answer_bytes += len(end)
        self._finish()

    def on_broken(self, *, is_bad: bool) -> None:
        """The connection ended too early; see Sink."""
        upstream, instance = self.upstream, self.instance
        deployment = self.deployment
        self.upstream = None
        if self.is_answered:
            self.reason = "AnswerBroken"
            self.client.transport.abort()  # the client must see that this is not all
            self._finish()
            return
        if upstream is not None and upstream.is_fresh and not is_bad:
            instance.set_aside()
        self._attempts += 1
        may_retry = deployment.route.is_retry_allowed and self._parts is not None
        if is_bad or not may_retry or self._attempts >= MAX_ATTEMPTS - 1:
            self.refuse(errors.bad_answer(deployment.name) if is_bad else errors.instance_failed(deployment.name))
            return
        instance.leave()
        self.is_taken = False
        self.is_sent = False
        self.try_another(instance)

    def on_upgraded(self, head: AnswerHead, data: bytes) -> None:
        """101: from here on raw bytes go both ways; see Sink."""
        if not self.head.upgrade:
            upstream, self.upstream = self.upstream, None
            if upstream is not None:
                upstream.abandon()
            self.refuse(errors.bad_answer(self.deployment.name))
            return
        deployment = self.deployment
        self.is_answered = self.is_tunnel = True
        self.status = self.model_status = 101
        fields = b"\r\nconnection: Upgrade\r\nupgrade: " + (head.upgrade or self.head.upgrade)
        start = status_line(101) + head.fields + deployment.answer_fields + self.request_id + fields
        self.client.open_tunnel()
        self.client.transport.write(start + b"\r\n\r\n" + data)

    def on_writable(self, is_writable: bool) -> None:
        """Back-pressure of the instance; see Sink."""
        if is_writable:
            self.client.resume_reading(UPSTREAM_FULL)
        else:
            self.client.pause_reading(UPSTREAM_FULL)

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        """Answer without an instance. `fields`: header lines, each preceded by CRLF."""
        client = self.client
        client.is_keep_alive = client.is_keep_alive and self.is_body_complete and not self.plane.is_draining
        lines = [status_line(status), fields, b"\r\nx-request-id: ", self.request_id]
        if self.is_chosen:
            lines += b"\r\nazureml-model-deployment: ", self.deployment.name.encode()
        if self.head.client_request_id:
            lines += b"\r\nx-ms-client-request-id: ", self.head.client_request_id
        if status != 204:
            lines.append(b"\r\ncontent-length: %d" % len(body))
        lines += connection_fields(self.head, is_keep_alive=client.is_keep_alive), b"\r\n\r\n"
        if not self.is_head_request:
            lines.append(body)
        data = b"".join(lines)
        self.status = status
        self.is_answered = True
        self.answer_bytes = len(data)
        client.transport.write(data)
        self._finish()

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error of the gateway's own, or break off when the answer has begun."""
        if self.is_over:
            return
        if self.is_answered:
            self.reason = refusal.code
            self.client.transport.abort()
            self._finish()
            return
        self.reason = refusal.code
        self.client.is_keep_alive = self.client.is_keep_alive and not refusal.is_final
        self.answer(refusal.status, refusal.fields() + self._cors, refusal.body())

    def try_another(self, failed: Instance) -> None:
        """Send the request again, to another instance than the failed one if there is one."""
        raise NotImplementedError

    # Ending --------------------------------------------------------------------------------------------------

    def attempt(self, step: Callable[[], None]) -> None:
        """Take a step that may end in a refusal."""
        try:
            step()
        except Refusal as refusal:
            self.refuse(refusal)
        except Exception:
            logger.exception("request %s failed in the gateway itself", self.request_id.decode())
            self.refuse(errors.internal(self.request_id.decode()))

    def _arm_stream(self) -> None:
        timeout = max(self.plane.settings.stream_timeout, self.deployment.timeout)
        self._progress = self.answer_bytes
        self.client.arm(self.plane.clock() + timeout)

    def expire(self, now: float) -> None:
        """The client connection's deadline has passed while this request was on its way."""
        if self.is_tunnel:
            return
        if self.hold_deadline and self.is_body_complete:
            self.client.arm(self.hold_deadline + 1)  # the room turns it away before that
        elif self.is_answered:
            is_held = self.throttle is not None and self.throttle.is_waiting
            if is_held or self.answer_bytes != self._progress:
                self._arm_stream()
            else:
                self.refuse(Refusal(408, "StreamStalled", ""))
        elif not self.is_body_complete:
            self.refuse(errors.slow_client())
        elif self.is_chosen:
            self.refuse(errors.request_timeout(self.deployment.route.request_timeout_ms))

    def abort(self) -> None:
        """The client has gone."""
        if not self.is_over:
            if not self.is_tunnel:
                self.status = CLIENT_CLOSED
                self.reason = "ClientClosed"
            self._finish()

    def _finish(self) -> None:
        self.is_over = True
        plane = self.plane
        now = plane.clock()
        if self.throttle is not None:
            self.throttle.end(now)
            self.client.resume_reading(THROTTLED)
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            if upstream.sink is self:
                upstream.abandon()
            elif not self.reason:
                self.model_seconds = now - self.sent_at
        if self.is_taken:
            self.instance.leave()
        if self.hold_deadline and self.deployment.room is not None:
            self.deployment.room.leave(self)
        if self._is_entered:
            deployment = self.deployment
            deployment.leave()
            if not deployment.is_open:
                deployment.queue.quit(self)
                deployment.wake()
        plane.record(self, now)
        if self._mirror is not None:
            self._mirror.live_ended(self, now)
        self.client.exchange_done(now)
