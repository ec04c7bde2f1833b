"""A copy of a live request for a shadow deployment. Its answer is counted and dropped, once `pairing` has seen it where
pairs are compared; the caller never notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from endpoints.gateway.counters import count
from endpoints.gateway.parsing import AnswerHead
from endpoints.gateway.rendering import request_prefix
from endpoints.gateway.upstream import Sink, UpstreamConnection
from endpoints.spec.counters import SeriesKey

if TYPE_CHECKING:
    from endpoints.gateway.answering import Answering
    from endpoints.gateway.instances import Instance
    from endpoints.gateway.pairing import Mirroring
    from endpoints.gateway.plane import DataPlane


class Shadow(Sink):
    """One copy on its way; a sink of its own. It takes a free instance or is dropped: shadows never queue."""

    def __init__(self, plane: DataPlane, original: Answering, mirror: Mirroring) -> None:
        super().__init__(is_head_request=original.is_head_request, is_sent=True)
        self.deadline = float("inf")
        self.due = float("inf")
        self._plane = plane
        self._deployment = mirror.deployment
        self._side = mirror.pair.shadow if mirror.pair is not None else None
        self._request_id = original.request_id
        self._head = original.head
        self._forwarded = original.client.forwarded_fields
        self._instance: Instance | None = None
        self._connection: UpstreamConnection | None = None
        self._body = b""
        self._is_over = False
        self._status = 0
        self._answer_bytes = 0
        self._started_at = plane.clock()

    def begin(self, body: bytes) -> None:
        """Send the copy with its whole body."""
        deployment = self._deployment
        self._body = body
        deployment.tally.enter()
        instance = deployment.pick() if deployment.tally.total() <= deployment.limit else None
        if instance is None:
            self._finish("MirrorDropped")
            return
        self._instance = instance
        instance.tally.enter()
        self._plane.wheel.arm(self, self._started_at + deployment.timeout)
        if instance.idle:
            self._send(instance.idle.pop())
        else:
            self._plane.spawn(self._connect(instance))

    async def _connect(self, instance: Instance) -> None:
        try:
            connection = await instance.connect()
        except OSError:
            self._finish("InstanceUnreachable")
            return
        if self._is_over:
            instance.put_back(connection)
        else:
            self._send(connection)

    def _send(self, connection: UpstreamConnection) -> None:
        head = self._head
        prefix = request_prefix(
            head, scoring_path=self._deployment.scoring_path, forwarded=self._forwarded, length=len(self._body)
        )
        self._connection = connection
        connection.send(self, b"".join((prefix, self._request_id, b"\r\n\r\n", self._body)))

    def expire(self, now: float) -> None:
        """The shadow takes longer than its deployment allows."""
        self._finish("RequestTimeout")

    # Sink ----------------------------------------------------------------------------------------------------

    def on_answer(self, head: AnswerHead, body: bytes, is_complete: bool) -> None:
        self._status = head.status
        self._answer_bytes = len(body)
        if self._side is not None:
            self._side.began(head, body)
        if is_complete:
            self._finish("")

    def answer_usual(self, head: AnswerHead, body: bytes) -> None:
        self.on_answer(head, body, True)

    def on_piece(self, piece: bytes) -> None:
        self._answer_bytes += len(piece)
        if self._side is not None:
            self._side.went_on(piece)

    def on_complete(self) -> None:
        self._finish("")

    def on_broken(self, *, is_bad: bool) -> None:
        self._finish("BadAnswer" if is_bad else "InstanceFailed")

    def on_upgraded(self, head: AnswerHead, data: bytes) -> None:
        self._finish("BadAnswer")

    def on_writable(self, is_writable: bool) -> None:
        """The whole copy is in memory already."""

    def _finish(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        plane, deployment, instance, connection = self._plane, self._deployment, self._instance, self._connection
        plane.wheel.forget(self)
        if connection is not None and connection.sink is self:
            connection.abandon()
        if instance is not None:
            instance.leave()
        deployment.leave()
        seconds = plane.clock() - self._started_at
        if self._side is not None:
            self._side.ended(reason, seconds)
        key = SeriesKey(
            deployment.endpoint,
            deployment.name,
            instance.id if instance is not None else "",
            self._status if 200 <= self._status < 300 else 424 if self._status else 0,
            self._status,
            reason,
            True,
        )
        count(
            plane.counters.series(key),
            len(self._body),
            self._answer_bytes,
            seconds,
            -1 if reason else seconds,
        )
        if not deployment.is_open:
            deployment.wake()
