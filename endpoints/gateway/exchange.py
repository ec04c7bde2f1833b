"""One request on its way: decided, let in, forwarded, answered, counted. A sink of its upstream connection.

The usual request (a body that came with its head, a free instance, a warm connection, an answer in one piece) runs
through `begin_usual` and `answer_usual` without a task or a wait; everything else is a detour from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from endpoints.gateway import errors
from endpoints.gateway.auth import KeysMissing
from endpoints.gateway.bandwidth import Bandwidth, Throttle
from endpoints.gateway.errors import Refusal
from endpoints.gateway.flow import THROTTLED
from endpoints.gateway.forwarding import Forwarding
from endpoints.gateway.pairing import Mirroring
from endpoints.gateway.parsing import field
from endpoints.gateway.sticky import MAX_STICKY_BYTES, value_in_json

if TYPE_CHECKING:
    from endpoints.gateway.routing import Deployment, Endpoint


class Exchange(Forwarding):
    """Which deployment a request goes to, and whether it may."""

    __slots__ = ()

    def begin(self, body: bytes, is_complete: bool) -> None:
        """Decide and forward. `body`: its first part, all of it when is_complete."""
        self.is_body_complete = is_complete
        self._parts = [body]
        self.request_bytes = self._parts_size = len(body)
        self.attempt(self._decide)

    def begin_usual(self, body: bytes) -> None:
        """`begin` to `_send` in one, for a head decided before, one instance and a warm connection."""
        head, plane = self.head, self.plane
        endpoint: Endpoint = head.endpoint
        choices = endpoint.choices
        deployment = choices[int(plane.random() * len(choices))]
        instance = deployment.only
        others = plane.board.others
        if (
            instance is None
            or not instance.idle
            or not deployment.is_open
            or (deployment.tally.total() if others else deployment.tally.own) >= deployment.limit
            or (instance.tally.total() if others else instance.tally.own) >= deployment.per_instance
        ):
            self._begin_chosen(deployment, body)
            return
        deployment.tally.own += 1
        instance.tally.own += 1
        if others:
            deployment.tally.show()
            instance.tally.show()
        self.endpoint = endpoint
        self.deployment = deployment
        self.instance = instance
        self.is_usual = head.is_plain
        self.is_located = self.is_chosen = self.is_taken = True
        self._is_entered = self.is_body_complete = self.is_sent = True
        self._parts = [body]
        self.request_bytes = self._parts_size = len(body)
        started_at = self.sent_at = self.started_at
        if head.prefix_for != deployment.scoring_path:
            self.render(head, deployment)
        connection = self.upstream = instance.idle.pop()
        connection.send(self, b"%b%b\r\n\r\n%b" % (head.prefix, self.request_id, body))
        client = self.client
        deadline = client.deadline = started_at + deployment.timeout
        if deadline < client.due:
            client.arm(deadline)

    def _begin_chosen(self, deployment: Deployment, body: bytes) -> None:
        """The long way round, without choosing again: who is short of connections must not lose its share."""
        self.endpoint = self.head.endpoint
        self.is_located = self.is_body_complete = True
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
        endpoint: Endpoint | None = head.endpoint
        if endpoint is None:
            plane.answer_own_path(self)
            return
        self.endpoint = endpoint
        self.is_located = True
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
        if endpoint.bandwidth is not None and not self._may_pass(endpoint.bandwidth):
            return
        self.choose()

    def _may_pass(self, bandwidth: Bandwidth) -> bool:
        """Whether the request may go on; else it does when its bytes are within the endpoint's bandwidth."""
        throttle = self.throttle = Throttle(
            bandwidth, self.plane.wheel, go_on=self._go_on, answer_on=self.resume_answer
        )
        if throttle.pass_on(throttle.request, self.request_bytes, self.plane.clock()):
            self._is_waiting_to_pass = True
            self.client.pause_reading(THROTTLED)
        return not self._is_waiting_to_pass

    def _go_on(self) -> None:
        """The request has waited for bandwidth."""
        if self.is_over:
            return
        if self._is_waiting_to_pass:
            self._is_waiting_to_pass = False
            self.attempt(self.choose)
        if not self.is_over:
            self.client.resume_reading(THROTTLED)

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
            self.attempt(self._decide)

    def choose(self) -> None:
        """See Forwarding."""
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
            self._mirror = Mirroring(endpoint.deployments[endpoint.mirror.deployment])
        self._enter(deployment)

    def _choose_sticky(self, endpoint: Endpoint) -> Deployment | None:
        sticky = endpoint.sticky
        if sticky is not None and sticky.kind == "header":
            value = field(self.head.fields, sticky.name.encode())
        else:
            value = value_in_json(b"".join(self._parts or ()), sticky.name if sticky else "")
        return endpoint.choose() if value is None else endpoint.choose_for(value)

    def _enter(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.is_chosen = True
        room = deployment.room
        if not deployment.instances or (room is not None and room.waiting):
            self.wait_for_waking()
            return
        tally = deployment.tally
        tally.enter()
        self._is_entered = True
        if tally.total() > deployment.limit:
            raise errors.too_many_pending(deployment.limit)
        instance = deployment.pick() if deployment.is_open else None
        if instance is None:
            self.wait_for_instance(deployment)
        else:
            self.take(instance)
