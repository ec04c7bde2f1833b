"""What a caller was answered beside what the shadow answered, for a sample of the mirrored requests.

It only looks on: whatever goes wrong here ends the pair and nothing else. Memory is bounded for the whole process;
where there is no room, pairs are dropped and counted.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import msgspec

from endpoints.gateway.admission import RateLimit
from endpoints.gateway.board import BoardFull
from endpoints.gateway.parsing import AnswerHead, field
from endpoints.spec.pairs import (
    LIVE_FAILED,
    MAX_BODY_BYTES,
    SHADOW_FAILED,
    STREAMING,
    TOO_LARGE,
    AnswerSeen,
    Pair,
    PairBatch,
)
from endpoints.spec.routes import Comparison, Mirror

if TYPE_CHECKING:
    from endpoints.gateway.answering import Answering
    from endpoints.gateway.board import Board
    from endpoints.gateway.routing import Deployment

logger = logging.getLogger(__name__)

MAX_HELD_BYTES = 4 * 1024 * 1024  # of all pairs of a process, open ones and those waiting to be handed over
MAX_BATCH_BYTES = 512 * 1024
PAIR_BYTES = 1024  # what a pair takes beside its bodies
MAX_HEADER_BYTES = 100
_STREAMS = (b"text/event-stream", b"application/x-ndjson", b"multipart/x-mixed-replace")


class Sampling:
    """Which of an endpoint's mirrored requests are compared."""

    def __init__(self, board: Board, endpoint: str, comparison: Comparison) -> None:
        self.comparison = comparison
        self._rate = RateLimit(board, f"pairs of {endpoint}", comparison.max_per_second)

    def wants(self, chance: float, now: float) -> bool:
        """Whether this one is to be compared. chance: from 0 to 1."""
        return chance * 100 < self.comparison.sample_percent and self._rate.take(now)

    def release(self) -> None:
        self._rate.release()


def followed(before: Sampling | None, board: Board, endpoint: str, mirror: Mirror | None) -> Sampling | None:
    """The sampling that the routes ask for now; the one from before where nothing changed."""
    wanted = mirror.comparison if mirror is not None else None
    if before is not None:
        if before.comparison == wanted:
            return before
        before.release()
    try:
        return Sampling(board, endpoint, wanted) if wanted is not None else None
    except BoardFull:
        logger.error("the answers of %s are not compared: too many names at once", endpoint)
        return None


class Mirroring:
    """The copy that is to be made of one request; `pair` once it is on its way and its answers are kept."""

    __slots__ = ("deployment", "is_made", "pair")

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.is_made = False
        self.pair: OpenPair | None = None

    def saw_answer(self, head: AnswerHead, body: bytes) -> None:
        """The caller's answer begins."""
        if self.pair is not None:
            self.pair.live.began(head, body)

    def saw_piece(self, piece: bytes) -> None:
        """More of the caller's answer."""
        if self.pair is not None:
            self.pair.live.went_on(piece)

    def live_ended(self, exchange: Answering, now: float) -> None:
        """The caller's exchange is over."""
        if self.pair is not None:
            is_whole = exchange.is_answered and exchange.model_status > 0
            failure = exchange.reason or ("" if is_whole else "NotAnswered")
            seconds = exchange.model_seconds if exchange.model_seconds >= 0 else now - exchange.sent_at
            self.pair.live.ended(failure, seconds)


_Arguments = ParamSpec("_Arguments")


def _looking_on(method: Callable[Concatenate[Side, _Arguments], None]) -> Callable[Concatenate[Side, _Arguments], None]:
    """A fault in here ends the pair; the exchange that is watched never hears of it."""

    @wraps(method)
    def safely(side: Side, /, *arguments: _Arguments.args, **more: _Arguments.kwargs) -> None:
        try:
            method(side, *arguments, **more)
        except Exception:
            logger.exception("a pair of answers is given up")
            side.pair.drop()

    return safely


class Side:
    """One of the two answers as it comes in."""

    __slots__ = ("_parts", "_size", "is_over", "is_streaming", "is_too_large", "pair", "seen")

    def __init__(self, pair: OpenPair, revision: int) -> None:
        self.pair = pair
        self._parts: list[bytes] = []
        self._size = 0
        self.is_over = self.is_streaming = self.is_too_large = False
        self.seen = AnswerSeen(revision=revision)

    @_looking_on
    def began(self, head: AnswerHead, body: bytes) -> None:
        content_type = _header(head.fields, b"content-type")
        self.is_streaming = content_type.lower().startswith(_STREAMS)
        self.seen = msgspec.structs.replace(
            self.seen,
            status=head.status,
            content_type=content_type.decode("latin-1"),
            content_encoding=_header(head.fields, b"content-encoding").decode("latin-1").lower(),
        )
        self.went_on(body)

    @_looking_on
    def went_on(self, piece: bytes) -> None:
        if self.is_streaming or self.is_too_large or not piece:
            return
        self._size += len(piece)
        if self._size > MAX_BODY_BYTES:
            self.is_too_large = True
            self.pair.give_back(self._size - len(piece))
            self._parts.clear()
        elif self.pair.hold(len(piece)):
            self._parts.append(piece)

    @_looking_on
    def ended(self, failure: str, seconds: float) -> None:
        if self.is_over:
            return
        self.is_over = True
        microseconds = max(0, int(seconds * 1e6))
        self.seen = msgspec.structs.replace(self.seen, failure=failure, microseconds=microseconds)
        self.pair.side_ended()

    def whole(self) -> AnswerSeen:
        """The answer with its body."""
        return msgspec.structs.replace(self.seen, body=b"".join(self._parts))

    def forget(self) -> None:
        self._parts.clear()


def _header(fields: bytes, name: bytes) -> bytes:
    return (field(fields, name) or b"")[:MAX_HEADER_BYTES]


class OpenPair:
    """A pair whose answers are still coming."""

    __slots__ = ("_facts", "_held", "_pairs", "is_dropped", "live", "shadow")

    def __init__(self, pairs: Pairs, facts: Pair) -> None:
        self._pairs = pairs
        self._facts = facts
        self._held = 0
        self.is_dropped = False
        self.live = Side(self, facts.live.revision)
        self.shadow = Side(self, facts.shadow.revision)
        self.hold(PAIR_BYTES + len(facts.request or b""))

    def hold(self, size: int) -> bool:
        """Take so much of the memory there is for pairs; without room the whole pair is dropped."""
        if self.is_dropped or not self._pairs.hold(size):
            self.drop()
            return False
        self._held += size
        return True

    def give_back(self, size: int) -> None:
        if not self.is_dropped:
            self._held -= size
            self._pairs.give_back(size)

    def drop(self) -> None:
        """Give it up."""
        if not self.is_dropped:
            self.is_dropped = True
            self._pairs.give_back(self._held)
            self._pairs.note_dropped(self._facts.endpoint)
            self.live.forget()
            self.shadow.forget()

    def side_ended(self) -> None:
        if self.live.is_over and self.shadow.is_over and not self.is_dropped:
            self._pairs.add(self._closed(), self._held)

    def _closed(self) -> Pair:
        """What is known of it now. Bodies go along only where there is something to compare in them."""
        live, shadow = self.live.whole(), self.shadow.whole()
        reason = self._reason()
        is_same = not reason and live.status == shadow.status and live.body == shadow.body
        if reason or is_same:
            live, shadow = (msgspec.structs.replace(one, body=b"") for one in (live, shadow))
        is_good = is_same or (bool(reason) and reason != SHADOW_FAILED)
        return msgspec.structs.replace(
            self._facts,
            live=live,
            shadow=shadow,
            reason=reason,
            is_same=is_same,
            request=None if is_good else self._facts.request,
        )

    def _reason(self) -> str:
        live, shadow = self.live, self.shadow
        if live.seen.failure:
            return LIVE_FAILED
        if shadow.seen.failure:
            return SHADOW_FAILED
        if live.is_streaming or shadow.is_streaming:
            return STREAMING
        return TOO_LARGE if live.is_too_large or shadow.is_too_large else ""


class Pairs:
    """All pairs of a process: those under way, and those that wait for the master."""

    def __init__(self, source: str, *, wall_clock: Callable[[], float], max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._source = source
        self._wall_clock = wall_clock
        self._max_held_bytes = max_held_bytes
        self._waiting: deque[tuple[Pair, int]] = deque()
        self._sequence = 0
        self.held_bytes = 0
        self.dropped: dict[str, int] = {}

    def open(self, exchange: Answering, shadow: Deployment, request: bytes, comparison: Comparison) -> OpenPair | None:
        """Watch both answers to this request; None where there is no room."""
        is_kept = comparison.keeps_requests and len(request) <= MAX_BODY_BYTES
        live = exchange.deployment
        facts = Pair(
            endpoint=exchange.endpoint.name,
            live_deployment=live.name,
            shadow_deployment=shadow.name,
            at_ms=int(self._wall_clock() * 1000),
            request_id=exchange.request_id.decode("latin-1"),
            live=AnswerSeen(revision=live.route.revision),
            shadow=AnswerSeen(revision=shadow.route.revision),
            request=request if is_kept else None,
            request_type=_header(exchange.head.fields, b"content-type").decode("latin-1") if is_kept else "",
        )
        pair = OpenPair(self, facts)
        return None if pair.is_dropped else pair

    def hold(self, size: int) -> bool:
        if self.held_bytes + size > self._max_held_bytes:
            return False
        self.held_bytes += size
        return True

    def give_back(self, size: int) -> None:
        self.held_bytes -= size

    def note_dropped(self, endpoint: str) -> None:
        self.dropped[endpoint] = self.dropped.get(endpoint, 0) + 1

    def add(self, pair: Pair, held: int) -> None:
        """A pair is whole."""
        size = PAIR_BYTES + len(pair.live.body) + len(pair.shadow.body) + len(pair.request or b"")
        self.held_bytes += size - held
        self._waiting.append((pair, size))

    def take_batch(self) -> tuple[str, bytes] | None:
        """(id, encoded batch) of the oldest pairs, about `MAX_BATCH_BYTES` of them; None when there are none."""
        if not self._waiting and not self.dropped:
            return None
        taken: list[Pair] = []
        size = 0
        while self._waiting and (not taken or size + self._waiting[0][1] <= MAX_BATCH_BYTES):
            pair, own = self._waiting.popleft()
            taken.append(pair)
            size += own
        self.held_bytes -= size
        self._sequence += 1
        batch = PairBatch(id=f"pairs-{self._source}-{self._sequence}", pairs=tuple(taken), dropped=self.dropped)
        self.dropped = {}
        return batch.id, msgspec.msgpack.encode(batch)
