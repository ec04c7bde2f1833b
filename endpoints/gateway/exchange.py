"""One request on its way: decided, let in, forwarded, answered, counted. A sink of its upstream connection.

The usual request (a body that came with its head, a free instance, a warm connection, an answer in one piece) runs
through `begin` and `on_answer` without a task or a wait; everything else is a detour from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from endpoints.gateway import errors
from endpoints.gateway.auth import KeysMissing
from endpoints.gateway.cors import MODEL_FIELDS
from endpoints.gateway.errors import CLIENT_CLOSED, STATUS_LINES, Refusal
from endpoints.gateway.flow import HELD, UPSTREAM_FULL
from endpoints.gateway.parsing import AnswerHead, RequestHead, field
from endpoints.gateway.rendering import LAST_CHUNK, answer_start, chunk, connection_fields, request_prefix, status_line
from endpoints.gateway.sticky import MAX_STICKY_BYTES, value_in_json

if TYPE_CHECKING:
    from endpoints.gateway.instances import Instance
    from endpoints.gateway.protocol import ClientConnection
    from endpoints.gateway.routing import Deployment, Endpoint
    from endpoints.gateway.upstream import UpstreamConnection

REPLAY_BYTES = 1024 * 1024  # how much of a request is kept for a second try, and for a mirror
HELD_BYTES = 64 * 1024  # how much may wait for a connection before the client is told to pause
MAX_ATTEMPTS = 3  # of connecting; only one of sending again
NOTHING_YET: Any = None  # set before it is needed; tested for with `is None` where it may not be
OK_LINE = STATUS_LINES[200]
_AS_IT_IS, _CHUNKED = range(2)


class Exchange:
    """From the validated head to the last byte of the answer.

    sent_at, model_seconds: when it went to an instance, how long that took to answer (-1: not asked, or no answer).
    reason: the error's code when the gateway itself refused or gave up.
    """

    __slots__ = (
        "_attempts",
        "_cors",
        "_framing",
        "_has_keys",
        "_is_entered",
        "_is_held",
        "_is_waiting_for_body",
        "_mirror",
        "_parts",
        "_parts_size",
        "_progress",
        "answer_bytes",
        "client",
        "deployment",
        "endpoint",
        "head",
        "instance",
        "is_answered",
        "is_body_complete",
        "is_head_request",
        "is_over",
        "is_sent",
        "is_tunnel",
        "is_usual",
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
        "upstream",
    )

    def __init__(self, client: ClientConnection, head: RequestHead, started_at: float) -> None:
        self.client = client
        self.plane = client.plane
        self.head = head
        self.started_at = started_at
        self.request_id = self.plane.next_request_id()
        self.endpoint: Endpoint = NOTHING_YET
        self.deployment: Deployment = NOTHING_YET
        self.instance: Instance = NOTHING_YET
        self.upstream: UpstreamConnection | None = None
        self.is_head_request = head.method == b"HEAD"
        self.is_body_complete = False
        self.is_sent = False
        self.is_answered = False
        self.is_tunnel = False
        self.is_usual = False
        self.is_over = False
        self.request_bytes = 0
        self.answer_bytes = 0
        self.status = 0
        self.model_status = 0
        self.model_seconds = -1.0
        self.reason = ""
        self.sent_at = 0.0
        self.queue_deadline = 0.0
        self._attempts = 0
        self._cors = b""
        self._framing = _AS_IT_IS
        self._has_keys = False
        self._is_entered = False
        self._is_held = False
        self._is_waiting_for_body = False
        self._mirror: Deployment | None = None
        self._parts: list[bytes] = NOTHING_YET
        self._parts_size = 0
        self._progress = 0

    # Deciding ------------------------------------------------------------------------------------------------

    def begin(self, body: bytes, is_complete: bool) -> None:
        """Decide and forward. `body`: its first part, all of it when is_complete."""
        self.is_body_complete = is_complete
        self._parts = [body]
        self.request_bytes = self._parts_size = len(body)
        self._attempt(self._decide)

    def begin_usual(self, body: bytes) -> None:
        """`begin` to `_send` in one, for a head decided before: one process, one instance, a warm connection."""
        head, plane = self.head, self.plane
        choices = head.endpoint.choices
        deployment = choices[int(plane.random() * len(choices))]
        instance = deployment.only
        if (
            instance is None
            or not instance.idle
            or plane.board.others
            or not deployment.is_open
            or deployment.tally.own >= deployment.limit
            or instance.tally.own >= deployment.per_instance
        ):
            self._begin_chosen(deployment, body)
            return
        deployment.tally.own += 1
        instance.tally.own += 1
        self.endpoint = head.endpoint
        self.deployment = deployment
        self.instance = instance
        self.is_usual = head.is_plain
        self._is_entered = self.is_body_complete = self.is_sent = True
        self._parts = [body]
        self.request_bytes = self._parts_size = len(body)
        started_at = self.sent_at = self.started_at
        if head.prefix_for != deployment.scoring_path:
            self._render(head, deployment)
        connection = self.upstream = instance.idle.pop()
        connection.send(self, b"".join((head.prefix, self.request_id, b"\r\n\r\n", body)))
        client = self.client
        deadline = client.deadline = started_at + deployment.timeout
        if deadline < client.due:
            client.arm(deadline)

    def _begin_chosen(self, deployment: Deployment, body: bytes) -> None:
        """The long way round, without choosing again: who is short of connections must not lose its share."""
        self.endpoint = self.head.endpoint
        self.is_body_complete = True
        self._parts = [body]
        self.request_bytes = self._parts_size = len(body)
        try:
            self._enter(deployment)
        except Refusal as refusal:
            self.refuse(refusal)

    def _decide(self) -> None:
        head, plane = self.head, self.plane
        if head.decided_for is not plane.book.table:
            plane.locate(head)
        self.endpoint = endpoint = head.endpoint
        if endpoint is None:
            plane.answer_own_path(self)
            return
        if endpoint.cors is not None and self._is_preflight(endpoint):
            return
        if head.authorised_until < plane.wall_clock():
            try:
                head.authorised_until = endpoint.authenticator.check(head.authorization)
            except KeysMissing as missing:
                self._wait_for_keys(missing)
                return
        if endpoint.rate is not None and not endpoint.rate.take(plane.clock()):
            raise errors.rate_limited(endpoint.rate.per_second)
        if head.content_length > endpoint.max_payload_bytes or self.request_bytes > endpoint.max_payload_bytes:
            raise errors.payload_too_large(endpoint.max_payload_bytes)
        plane.mark_if_usual(head)
        self._choose()

    def _is_preflight(self, endpoint: Endpoint) -> bool:
        head, cors = self.head, endpoint.cors
        if cors is None:
            return False
        asked = field(head.fields, b"access-control-request-method") if head.method == b"OPTIONS" else None
        if asked is None or not head.origin:
            self._cors = cors.answer_fields(head.origin)
            return False
        asked_headers = field(head.fields, b"access-control-request-headers") or b""
        self.answer(204, cors.preflight_fields(head.origin, asked_headers), b"")
        return True

    def _wait_for_keys(self, missing: KeysMissing) -> None:
        if self._has_keys:
            raise errors.unauthorized("The token is not signed with one of the issuer's keys.")
        self._has_keys = True
        self.plane.spawn(self._fetch_keys(missing))

    async def _fetch_keys(self, missing: KeysMissing) -> None:
        await missing.fetch()
        if not self.is_over:
            self._attempt(self._decide)

    def _choose(self) -> None:
        head, endpoint, plane = self.head, self.endpoint, self.plane
        if head.deployment:
            deployment = endpoint.deployments.get(head.deployment)
            if deployment is None:
                raise errors.no_deployment(endpoint.name, head.deployment)
        elif endpoint.sticky is not None:
            if endpoint.sticky.kind == "json" and not self.is_body_complete and self._parts_size < MAX_STICKY_BYTES:
                self._is_waiting_for_body = True  # the field may be in what is still to come
                self.client.invite_body()
                return
            deployment = self._choose_sticky(endpoint)
        else:
            choices = endpoint.choices
            deployment = choices[int(plane.random() * len(choices))] if choices else None
        if deployment is None:
            raise errors.no_traffic(endpoint.name)
        if endpoint.mirror is not None and not head.deployment and plane.random() * 100 < endpoint.mirror.percent:
            self._mirror = endpoint.deployments.get(endpoint.mirror.deployment)
        self._enter(deployment)

    def _choose_sticky(self, endpoint: Endpoint) -> Deployment | None:
        sticky = endpoint.sticky
        if sticky is not None and sticky.kind == "header":
            value = field(self.head.fields, sticky.name.encode())
        else:
            value = value_in_json(b"".join(self._parts or ()), sticky.name if sticky else "")
        return endpoint.choose() if value is None else endpoint.choose_for(value)

    # Entering ------------------------------------------------------------------------------------------------

    def _enter(self, deployment: Deployment) -> None:
        self.deployment = deployment
        if not deployment.instances:
            raise errors.no_instances(deployment.name)
        tally = deployment.tally
        tally.enter()
        self._is_entered = True
        if tally.total() > deployment.limit:
            raise errors.too_many_pending(deployment.limit)
        instance = deployment.pick() if deployment.is_open else None
        if instance is None:
            self._queue(deployment)
        else:
            self._take(instance)

    def _queue(self, deployment: Deployment) -> None:
        wait_ms = deployment.route.max_queue_wait_ms
        self.queue_deadline = self.plane.clock() + wait_ms / 1000
        deployment.is_open = False
        deployment.queue.join(self)
        self.plane.queued.add(deployment)

    def proceed(self) -> None:
        """From the queue: an instance may be free."""
        deployment = self.deployment
        if not deployment.instances:
            deployment.queue.quit(self)
            self.refuse(errors.no_instances(deployment.name))
        elif (instance := deployment.pick(but=self.instance)) is not None:
            deployment.queue.quit(self)
            self._take(instance)

    def give_up(self) -> None:
        """From the queue: it took too long."""
        deployment = self.deployment
        self.refuse(errors.queue_wait_exceeded(deployment.route.max_queue_wait_ms))

    # Forwarding ----------------------------------------------------------------------------------------------

    def _take(self, instance: Instance) -> None:
        self.instance = instance
        instance.tally.enter()
        if instance.idle:
            self._send(instance.idle.pop())
        else:
            self.plane.spawn(self._connect(instance))

    async def _connect(self, instance: Instance) -> None:
        try:
            connection = await instance.connect()
        except OSError:
            if not self.is_over:
                self._connecting_failed(instance)
            return
        if self.is_over or connection.transport.is_closing():
            instance.put_back(connection)
            if not self.is_over:
                self._connecting_failed(instance)
        else:
            self._send(connection)

    def _connecting_failed(self, instance: Instance) -> None:
        deployment = self.deployment
        instance.leave()
        self.instance = NOTHING_YET
        self._attempts += 1
        others = [other for other in deployment.instances if other is not instance and not other.is_set_aside]
        if self._attempts < MAX_ATTEMPTS and others:
            self._try_another(instance)
        else:
            self.refuse(errors.unreachable(deployment.name))

    def _try_another(self, failed: Instance) -> None:
        deployment = self.deployment
        instance = deployment.pick(but=failed)
        if instance is None:
            self._queue(deployment)
        else:
            self._take(instance)

    def _send(self, connection: UpstreamConnection) -> None:
        head, client = self.head, self.client
        deployment = self.deployment
        if head.prefix_for != deployment.scoring_path:
            self._render(head, deployment)
        self.upstream = connection
        now = self.sent_at = self.plane.clock()
        self.is_sent = self.is_body_complete
        parts = self._parts
        if head.content_length < 0:
            parts = [*map(chunk, filter(None, parts)), LAST_CHUNK if self.is_body_complete else b""]
        connection.send(self, b"".join((head.prefix, self.request_id, b"\r\n\r\n", *parts)))
        if self.is_sent:
            deadline = client.deadline = now + deployment.timeout
            if deadline < client.due:
                client.arm(deadline)
            if self._mirror is not None:
                self._copy_to_mirror()
        else:
            self._release_hold()
            client.invite_body()

    def _render(self, head: RequestHead, deployment: Deployment) -> None:
        forwarded = self.client.forwarded_fields
        head.prefix = request_prefix(head, scoring_path=deployment.scoring_path, forwarded=forwarded)
        head.prefix_for = deployment.scoring_path

    def receive(self, piece: bytes, is_complete: bool) -> None:
        """More of the request's body."""
        self.is_body_complete = is_complete
        self.request_bytes += len(piece)
        endpoint = self.endpoint
        if endpoint is not None and self.request_bytes > endpoint.max_payload_bytes:
            self.refuse(errors.payload_too_large(endpoint.max_payload_bytes))
            return
        upstream = self.upstream
        if upstream is not None and self._parts_size > REPLAY_BYTES:
            self._parts = NOTHING_YET  # too much to send a second time
        elif piece and self._parts is not None:
            self._parts.append(piece)
            self._parts_size += len(piece)
        if upstream is not None:
            self._pass_on(upstream, piece)
        elif self._is_waiting_for_body:
            if is_complete or self._parts_size >= MAX_STICKY_BYTES:
                self._is_waiting_for_body = False
                self._attempt(self._choose)
        elif self._parts_size > HELD_BYTES and not self._is_held:
            self._is_held = True
            self.client.pause_reading(HELD)

    def _pass_on(self, upstream: UpstreamConnection, piece: bytes) -> None:
        self.is_sent = self.is_body_complete
        if self.head.content_length < 0:
            piece = (chunk(piece) if piece else b"") + (LAST_CHUNK if self.is_body_complete else b"")
        if piece:
            upstream.transport.write(piece)
        if self.is_sent and not self.is_answered:
            self.sent_at = self.plane.clock()
            self.client.arm(self.sent_at + self.deployment.timeout)
            if self._mirror is not None:
                self._copy_to_mirror()

    def _copy_to_mirror(self) -> None:
        if self._parts is not None and self._mirror is not None and not self.head.upgrade:
            self.plane.mirror(self, self._mirror, b"".join(self._parts))
        self._mirror = None

    def _release_hold(self) -> None:
        if self._is_held:
            self._is_held = False
            self.client.resume_reading(HELD)

    # Answering -----------------------------------------------------------------------------------------------

    def on_answer(self, head: AnswerHead, body: bytes, is_complete: bool) -> None:
        """The instance answers; see Sink."""
        client, request = self.client, self.head
        self.is_answered = True
        self.model_status = head.status
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
        if self._cors:
            head.fields = MODEL_FIELDS.sub(b"", head.fields)
            fields += self._cors
        if request.client_request_id:
            fields += b"\r\nx-ms-client-request-id: " + request.client_request_id
        if not is_keep_alive or request.minor_version == 0:
            fields += connection_fields(request, is_keep_alive=is_keep_alive)
        if body and self._framing == _CHUNKED:
            body = chunk(body)
        data = b"".join((answer_start(head), deployment.answer_fields, self.request_id, fields, b"\r\n\r\n", body))
        client.transport.write(data)
        self.answer_bytes = len(data)
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
        ending = b"\r\ncontent-length: %d\r\n\r\n" % len(body)
        data = b"".join((OK_LINE, head.fields, deployment.answer_fields, self.request_id, ending, body))
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
        return b"\r\ntransfer-encoding: chunked"

    def on_piece(self, piece: bytes) -> None:
        """More of the answer; see Sink."""
        if self._framing == _CHUNKED:
            piece = chunk(piece)
        self.answer_bytes += len(piece)
        self.client.transport.write(piece)

    def on_complete(self) -> None:
        """The answer has ended; see Sink."""
        if self._framing == _CHUNKED:
            self.client.transport.write(LAST_CHUNK)
            self.answer_bytes += len(LAST_CHUNK)
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
        if upstream is not None and upstream.is_fresh and instance is not None and not is_bad:
            instance.set_aside()
        self._attempts += 1
        may_retry = deployment.route.is_retry_allowed and self._parts is not None
        if is_bad or not may_retry or self._attempts >= MAX_ATTEMPTS - 1 or instance is None:
            self.refuse(errors.bad_answer(deployment.name) if is_bad else errors.instance_failed(deployment.name))
            return
        instance.leave()
        self.instance = NOTHING_YET
        self.is_sent = False
        self._try_another(instance)

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
        if self.deployment is not None:
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

    # Ending --------------------------------------------------------------------------------------------------

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Refusal as refusal:
            self.refuse(refusal)

    def _arm_stream(self) -> None:
        timeout = max(self.plane.settings.stream_timeout, self.deployment.timeout)
        self._progress = self.answer_bytes
        self.client.arm(self.plane.clock() + timeout)

    def expire(self, now: float) -> None:
        """The client connection's deadline has passed while this request was on its way."""
        if self.is_tunnel:
            return
        if self.is_answered:
            if self.answer_bytes != self._progress:
                self._arm_stream()
            else:
                self.refuse(Refusal(408, "StreamStalled", ""))
        elif not self.is_body_complete:
            self.refuse(errors.slow_client())
        elif self.deployment is not None:
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
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            if upstream.sink is self:
                upstream.abandon()
            elif not self.reason:
                self.model_seconds = now - self.sent_at
        instance, deployment = self.instance, self.deployment
        if instance is not None:
            instance.leave()
        if self._is_entered:
            deployment.leave()
            if not deployment.is_open:
                deployment.queue.quit(self)
                deployment.wake()
        plane.record(self, now)
        self.client.exchange_done(now)
