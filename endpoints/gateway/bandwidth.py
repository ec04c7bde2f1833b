"""How many bytes a second pass through an endpoint. Beyond that they wait; nothing is refused and nothing piles up.

What has arrived passes on; then its sender is not read from until the endpoint's rate is back within its limit. So a
wait costs the memory of one read, and pressure goes back to whoever sends too fast.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from endpoints.gateway.admission import Window
from endpoints.gateway.board import Board
from endpoints.gateway.wheel import TimerWheel

_UNIT: Final = 1024  # bytes; a shared cell counts these


class Bandwidth:
    """`per_second` bytes of requests and answers together, over all processes."""

    __slots__ = ("_clear_at", "_is_released", "_rest", "_window", "per_second")

    def __init__(self, board: Board, endpoint: str, per_second: int) -> None:
        self.per_second = per_second
        self._window = Window(board, "bytes", endpoint)
        self._rest = 0  # bytes not yet counted: less than a unit
        self._clear_at = -inf
        self._is_released = False

    def pass_on(self, size: int, now: float) -> float:
        """Count `size` bytes; the seconds to wait before more of them. `now`: monotonic, the same in all processes."""
        if self._is_released:  # the routes have changed since the request came
            return 0.0
        self._rest += size
        units, self._rest = divmod(self._rest, _UNIT)
        if units:
            self._window.add(units, now)
        excess = self._window.seen(now) * _UNIT + self._rest - self.per_second
        wait = excess / self.per_second
        if now < self._clear_at:  # a wait of several seconds outlasts the window
            wait = max(wait, self._clear_at - now + size / self.per_second)
        if wait <= 0:
            return 0.0
        self._clear_at = now + wait
        return wait

    def release(self) -> None:
        """Give the shared cells back; requests under way are not held any more."""
        self._is_released = True
        self._window.release()


class Pause:
    """One direction of one request: waits, and how long it has waited in all. `go_on` is called after each wait."""

    __slots__ = ("_go_on", "_since", "deadline", "due", "is_on", "seconds")

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self._since = 0.0
        self.deadline = inf
        self.due = inf
        self.is_on = False
        self.seconds = 0.0

    def begin(self, wait: float, now: float, wheel: TimerWheel) -> None:
        """Wait, or wait on: the later end counts."""
        if not self.is_on:
            self.is_on = True
            self._since = now
            wheel.arm(self, now + wait)
        else:
            self.deadline = max(self.deadline, now + wait)

    def expire(self, now: float) -> None:
        """The wait is over."""
        self.is_on = False
        self.seconds += now - self._since
        self._go_on()

    def end(self, now: float, wheel: TimerWheel) -> None:
        """The request is over, whether it waits or not."""
        if self.is_on:
            self.is_on = False
            self.seconds += now - self._since
            wheel.forget(self)


class Throttle:
    """A request at an endpoint with a limit: what it may do with its bytes, and its two waits."""

    __slots__ = ("_bandwidth", "_wheel", "answer", "request")

    def __init__(
        self, bandwidth: Bandwidth, wheel: TimerWheel, *, go_on: Callable[[], None], answer_on: Callable[[], None]
    ) -> None:
        self._bandwidth = bandwidth
        self._wheel = wheel
        self.request = Pause(go_on)
        self.answer = Pause(answer_on)

    def pass_on(self, pause: Pause, size: int, now: float, *, is_last: bool = False) -> bool:
        """Count bytes of one direction; whether that direction now waits. After the last ones nothing is held."""
        wait = self._bandwidth.pass_on(size, now)
        if wait <= 0 or is_last:
            return False
        pause.begin(wait, now, self._wheel)
        return True

    @property
    def is_waiting(self) -> bool:
        return self.request.is_on or self.answer.is_on

    def end(self, now: float) -> None:
        """The request is over."""
        self.request.end(now, self._wheel)
        self.answer.end(now, self._wheel)

    def trailer_fields(self) -> bytes:
        """Lines for the end of a chunked answer, each ended by CRLF; none when nothing waited."""
        request_ms, answer_ms = round(self.request.seconds * 1000), round(self.answer.seconds * 1000)
        if not request_ms and not answer_ms:
            return b""
        return TRAILERS % (request_ms, answer_ms)


# Contract B6.
TRAILERS: Final = b"ms-azureml-bandwidth-request-delay-ms: %d\r\nms-azureml-bandwidth-response-delay-ms: %d\r\n"
TRAILER_NAMES: Final = b"\r\ntrailer: ms-azureml-bandwidth-request-delay-ms, ms-azureml-bandwidth-response-delay-ms"
