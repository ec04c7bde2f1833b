"""The instance's half of a request: waiting for one, connecting, sending, sending again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from endpoints.gateway import errors
from endpoints.gateway.answering import MAX_ATTEMPTS, Answering
from endpoints.gateway.flow import HELD, THROTTLED
from endpoints.gateway.parsing import RequestHead
from endpoints.gateway.rendering import LAST_CHUNK, chunk, request_prefix
from endpoints.gateway.sticky import MAX_STICKY_BYTES

if TYPE_CHECKING:
    from endpoints.gateway.instances import Instance
    from endpoints.gateway.routing import Deployment
    from endpoints.gateway.upstream import UpstreamConnection

REPLAY_BYTES: Final = 1024 * 1024  # how much of a request is kept for a second try, and for a mirror
HELD_BYTES: Final = 64 * 1024  # how much may wait for a connection before the client is told to pause


class Forwarding(Answering):
    """What happens once the deployment is known."""

    __slots__ = ()

    def choose(self) -> None:
        """Decide on a deployment, now that as much of the body is there as that takes."""
        raise NotImplementedError

    def wait_for_instance(self, deployment: Deployment) -> None:
        """Join the queue: every instance is busy."""
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
            deployment.leave()
            self._is_entered = False
            self.attempt(self.wait_for_waking)
        elif (instance := deployment.pick()) is not None:
            deployment.queue.quit(self)
            self.take(instance)

    def wait_for_waking(self) -> None:
        """There is no instance: be held while the deployment wakes, if it can. Raises Refusal."""
        room, rules = self.deployment.room, self.deployment.route.hold
        if room is None or rules is None:
            raise errors.no_instances(self.deployment.name, stopped=self.deployment.route.stopped)
        room.take_in(self, self._parts_size if self.is_body_complete else HELD_BYTES, rules)
        if self.is_body_complete:
            self.client.arm(self.hold_deadline + 1)

    def release(self, instance: Instance) -> None:
        """From the hold: an instance is there. Latency and time-out begin now; the hold has its own of both."""
        self.hold_deadline = 0.0
        self.started_at = self.plane.clock()
        self.deployment.tally.enter()
        self._is_entered = True
        self.take(instance)

    def give_up(self) -> None:
        """From the queue: it took too long."""
        deployment = self.deployment
        self.refuse(errors.queue_wait_exceeded(deployment.route.max_queue_wait_ms))

    def take(self, instance: Instance) -> None:
        """Go to this instance."""
        self.instance = instance
        self.is_taken = True
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
        self.is_taken = False
        self._attempts += 1
        others = [other for other in deployment.instances if other is not instance and not other.is_set_aside]
        if self._attempts < MAX_ATTEMPTS and others:
            self.try_another(instance)
        else:
            self.refuse(errors.unreachable(deployment.name))

    def try_another(self, failed: Instance) -> None:
        deployment = self.deployment
        instance = deployment.pick(but=failed)
        if instance is None:
            self.wait_for_instance(deployment)
        else:
            self.take(instance)

    def _send(self, connection: UpstreamConnection) -> None:
        head, client = self.head, self.client
        deployment = self.deployment
        if head.prefix_for != deployment.scoring_path:
            self.render(head, deployment)
        self.upstream = connection
        now = self.sent_at = self.plane.clock()
        self.is_sent = self.is_body_complete
        parts = self._parts or []
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

    def render(self, head: RequestHead, deployment: Deployment) -> None:
        """Write the head as the deployment gets it, and remember it for the next request like this one."""
        forwarded = self.client.forwarded_fields
        head.prefix = request_prefix(head, scoring_path=deployment.scoring_path, forwarded=forwarded)
        head.prefix_for = deployment.scoring_path

    def receive(self, piece: bytes, is_complete: bool) -> None:
        """More of the request's body."""
        self.is_body_complete = is_complete
        self.request_bytes += len(piece)
        if self.is_located and self.request_bytes > self.endpoint.max_payload_bytes:
            self.refuse(errors.payload_too_large(self.endpoint.max_payload_bytes))
            return
        throttle = self.throttle
        if throttle is not None:
            now = self.plane.clock()
            if throttle.pass_on(throttle.request, len(piece), now, is_last=is_complete):
                self.client.pause_reading(THROTTLED)
        upstream = self.upstream
        if upstream is not None and self._parts_size > REPLAY_BYTES:
            self._parts = None  # too much to send a second time
        elif piece and self._parts is not None:
            self._parts.append(piece)
            self._parts_size += len(piece)
        if upstream is not None:
            self._pass_on(upstream, piece)
        elif self._is_waiting_for_body:
            if is_complete or self._parts_size >= MAX_STICKY_BYTES:
                self._is_waiting_for_body = False
                self.attempt(self.choose)
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
        mirror = self._mirror
        if mirror is None or mirror.is_made:
            return
        mirror.is_made = True
        if self._parts is not None and not self.head.upgrade:
            self.plane.mirror(self, mirror, b"".join(self._parts))

    def _release_hold(self) -> None:
        if self._is_held:
            self._is_held = False
            self.client.resume_reading(HELD)
