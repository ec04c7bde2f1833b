"""What the parts of one gateway process share: routes, clocks, counters, timers, connections. No sockets of its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from endpoints.gateway import errors
from endpoints.gateway.accesslog import AccessLog
from endpoints.gateway.admission import Doors
from endpoints.gateway.auth import Authenticator, KeyAuthenticator
from endpoints.gateway.board import Board
from endpoints.gateway.counters import Counters, count
from endpoints.gateway.errors import Refusal
from endpoints.gateway.holding import Holding
from endpoints.gateway.instances import Dialer
from endpoints.gateway.mirror import Shadow
from endpoints.gateway.pairing import Mirroring, Pairs
from endpoints.gateway.parsing import means_health
from endpoints.gateway.request_ids import RequestIds
from endpoints.gateway.routing import Deployment, RouteBook
from endpoints.gateway.wheel import TICK_SECONDS, TimerWheel
from endpoints.spec.counters import Gauge, SeriesKey
from endpoints.spec.routes import EndpointRoute, TokenRules

if TYPE_CHECKING:
    from endpoints.gateway.answering import Answering
    from endpoints.gateway.instances import Instance
    from endpoints.gateway.jwks import KeySet
    from endpoints.gateway.parsing import RequestHead
    from endpoints.gateway.protocol import ClientConnection
    from endpoints.gateway.settings import Settings

LOOK_AROUND_SECONDS: Final = 0.2


class DataPlane:
    """One per process. The clocks and the dialer (None: the loop's own) are replaced in tests."""

    def __init__(
        self,
        settings: Settings,
        *,
        loop: asyncio.AbstractEventLoop,
        board: Board,
        source: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        dial: Dialer | None = None,
    ) -> None:
        self.settings = settings
        self.loop = loop
        self.board = board
        self.clock = clock
        self.wall_clock = wall_clock
        self.random = random.random
        self.dial: Dialer = dial or cast(Dialer, loop.create_connection)
        self.request_ids = RequestIds()
        self.counters = Counters(source, wall_clock=wall_clock)
        self.pairs = Pairs(source, wall_clock=wall_clock)
        self.access_log = AccessLog(
            settings.access_log_sample if settings.is_access_logged else None, choose=self.random
        )
        self.wheel = TimerWheel(clock())
        self.doors = Doors(board)
        self.book = RouteBook(self, domain=settings.domain)
        self.connections: set[ClientConnection] = set()
        self.queued: set[Deployment] = set()
        self.holding = Holding(board, clock)
        self.is_draining = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._key_sets: dict[tuple[str, str], KeySet] = {}
        self._next_look = 0.0

    # Time ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let the timers run."""
        self.loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self.loop.call_later(TICK_SECONDS, self._tick)
        self.advance()

    def advance(self) -> None:
        """Everything that is due by now."""
        now = self.clock()
        self.wheel.advance(now)
        self.holding.advance(now)
        for deployment in tuple(self.queued):
            deployment.queue.expire(now)
            deployment.wake()  # an instance may have become free in another process
            if not deployment.queue.waiting:
                self.queued.discard(deployment)
        if now >= self._next_look:
            self._next_look = now + LOOK_AROUND_SECONDS
            self._look_around()

    def _look_around(self) -> None:
        was_alone = not self.board.others
        self.board.look_around()
        if was_alone and self.board.others:
            for endpoint in self.book.live:
                for deployment in endpoint.deployments.values():
                    deployment.show()

    def prune(self) -> None:
        """Every few seconds: let connections go that are not needed."""
        for endpoint in self.book.live:
            for deployment in endpoint.deployments.values():
                for instance in deployment.instances:
                    instance.prune()

    # Tasks and connections -----------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the request path."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def opened(self, connection: ClientConnection) -> Refusal | None:
        """Take a connection in; the answer to its requests where it is one too many."""
        self.connections.add(connection)
        self.counters.accepted += 1
        return self.doors.enter(self.clock())

    def closed(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        if connection.refusal is None:
            self.doors.leave()
        self.wheel.forget(connection)

    def instance_returned(self, instance: Instance) -> None:
        """A probe succeeded: requests may be waiting for it."""
        for deployment in tuple(self.queued):
            if instance in deployment.instances:
                deployment.wake()

    # Deciding ------------------------------------------------------------------------------------------------

    def locate(self, head: RequestHead) -> None:
        """Which endpoint a head means, by host or by the first segment of its path, and what path remains."""
        head.decided_for = self.book.table
        head.authorised_until = -1.0
        head.prefix_for = None
        target, host = head.target, head.host
        if target[:1] != b"/":
            scheme, separator, rest = target.partition(b"://")
            if not separator or scheme.lower() not in (b"http", b"https"):
                head.endpoint, head.endpoint_name, head.path = None, "", target
                return
            host, _, target = rest.partition(b"/")
            target = b"/" + target
        name = self.book.name_of_host(host)
        if name is None:
            segment, slash, rest = target[1:].partition(b"/")
            name = segment.partition(b"?")[0].decode("latin-1")
            target = slash + rest or b"/"
        head.path = target
        head.endpoint_name = name
        head.endpoint = self.book.find(name)

    def inherit(self, head: RequestHead, before: RequestHead) -> None:
        """Take over what was decided for the request before on the same connection, as far as it is the same again."""
        if (
            before.decided_for is self.book.table
            and head.target == before.target
            and head.host == before.host
            and head.authorization == before.authorization
        ):
            head.decided_for = before.decided_for
            head.endpoint = before.endpoint
            head.endpoint_name = before.endpoint_name
            head.path = before.path
            head.authorised_until = before.authorised_until
            if before.is_usual_for is self.book.table:
                self.mark_if_usual(head)

    def mark_if_usual(self, head: RequestHead) -> None:
        """Note whether the same head, come again, may go straight to the choice of a deployment by weight."""
        endpoint = head.endpoint
        has_rules = endpoint.cors or endpoint.rate or endpoint.bandwidth or endpoint.sticky or endpoint.mirror
        if (
            not has_rules
            and not head.deployment
            and endpoint.choices
            and head.authorised_until == inf
            and 0 <= head.content_length <= endpoint.max_payload_bytes
        ):
            head.is_usual_for = self.book.table
            head.is_plain = head.minor_version == 1 and head.method != b"HEAD" and not head.client_request_id

    def authenticator(self, route: EndpointRoute) -> Authenticator:
        """What checks the credentials of an endpoint's callers."""
        if route.auth_mode == "key":
            return KeyAuthenticator(route.key_digests)
        from endpoints.gateway.tokens import (
            TokenAuthenticator,  # a third of a process's memory, for those who use tokens
        )

        key_set = self._key_set(route.token) if route.auth_mode == "aad_token" and route.token else None
        return TokenAuthenticator(route.token, key_set=key_set, wall_clock=self.wall_clock)

    def _key_set(self, rules: TokenRules) -> KeySet:
        from endpoints.gateway.jwks import KeySet

        source = (rules.jwks_uri, rules.issuer)
        if source not in self._key_sets:
            folder = self.settings.home.gateway / "issuers"
            self._key_sets[source] = KeySet(
                jwks_uri=rules.jwks_uri, issuer=rules.issuer, folder=folder, loop=self.loop, clock=self.clock
            )
        return self._key_sets[source]

    def answer_own_path(self, exchange: Answering) -> None:
        """Requests that mean no endpoint: health. Raises Refusal for the rest."""
        if not means_health(exchange.head):
            raise errors.no_endpoint(exchange.head.endpoint_name)
        body = b'{"status": "ok", "routes_version": %d}' % self.book.table.version
        exchange.answer(200, b"\r\ncontent-type: application/json\r\ncache-control: no-store", body)

    def mirror(self, exchange: Answering, mirror: Mirroring, body: bytes) -> None:
        """Send a copy of the request to a shadow; never fails the caller."""
        sampling = exchange.endpoint.sampling
        if sampling is not None and sampling.wants(self.random(), self.clock()):
            mirror.pair = self.pairs.open(exchange, mirror.deployment, body, sampling.comparison)
        Shadow(self, exchange, mirror).begin(body)

    # Counting ------------------------------------------------------------------------------------------------

    def record(self, exchange: Answering, now: float) -> None:
        """Count an exchange that is over, and log it if it is in the sample."""
        seconds = now - exchange.started_at
        series = self.counters.series(_key(exchange))
        count(series, exchange.request_bytes, exchange.answer_bytes, seconds, exchange.model_seconds)
        if self.access_log.wants(exchange.status) and exchange.is_located:
            self.access_log.add(exchange, at=self.wall_clock(), seconds=seconds)

    def record_usual(self, exchange: Answering, now: float) -> None:
        """As `record`, for a 200 of a model."""
        usual = exchange.instance.usual
        if not usual.requests:
            self.counters.usual.append(usual)
        seconds = now - exchange.started_at
        usual.add(exchange.request_bytes, exchange.answer_bytes, seconds, exchange.model_seconds)
        log = self.access_log
        if log.until_next > 1:  # `wants`, written out
            log.until_next -= 1
        elif log.wants(200):
            log.add(exchange, at=self.wall_clock(), seconds=seconds)

    def record_malformed(self, refusal: Refusal) -> None:
        """Count bytes that were no request."""
        key = SeriesKey("", "", "", refusal.status, 0, refusal.code, False)
        count(self.counters.series(key), 0, 0, 0.0, -1.0)

    def gauges(self) -> Iterator[Gauge]:
        """How busy every deployment is that is busy at all."""
        for endpoint in self.book.live:
            for deployment in endpoint.deployments.values():
                if deployment.tally.own or deployment.queue.waiting:
                    yield Gauge(
                        endpoint=endpoint.name,
                        deployment=deployment.name,
                        in_flight=deployment.tally.own,
                        queued=len(deployment.queue),
                        limit=deployment.limit,
                    )


def _key(exchange: Answering) -> SeriesKey:
    # Without an endpoint its name is not counted: anyone could make up a million of them.
    return SeriesKey(
        exchange.endpoint.name if exchange.is_located else "",
        exchange.deployment.name if exchange.is_chosen else "",
        exchange.instance.id if exchange.is_taken else "",
        exchange.status,
        exchange.model_status,
        exchange.reason,
        False,
    )
