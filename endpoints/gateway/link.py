"""What a worker and its master tell each other, as length-prefixed JSON over a socket pair."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

ORDERS_VARIABLE = "SLIPWAY_GATEWAY_WORKER"
_LENGTH_BYTES = 4
_CONGESTED_BYTES = 1024 * 1024


class Orders(msgspec.Struct, frozen=True):
    """What the master gives a worker: inherited descriptors and its place among the others."""

    source: str
    column: int
    board_fd: int
    link_fd: int
    listen_fd: int
    tls_fd: int = -1


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker accepts connections."""

    routes_version: int


class Counted(msgspec.Struct, frozen=True, tag=True):
    """One batch of counters (`CounterBatch`, encoded), to be confirmed."""

    id: str
    ended_at_ms: int
    batch: msgspec.Raw


class Wanted(msgspec.Struct, frozen=True, tag=True):
    """Requests wait for a deployment that sleeps."""

    endpoint: str
    deployment: str
    waiting: int


class Lines(msgspec.Struct, frozen=True, tag=True):
    """Access log lines."""

    text: str


class Paired(msgspec.Struct, frozen=True, tag=True):
    """Pairs of answers (`PairBatch`, encoded). Nobody confirms them: they may be lost."""

    id: str
    batch: bytes


class Gone(msgspec.Struct, frozen=True, tag=True):
    """The worker has drained and ends after this."""


class Confirmed(msgspec.Struct, frozen=True, tag=True):
    """The master holds that batch now."""

    id: str


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Accept no more; finish what is under way within `seconds`.

    has_successor: others accept new connections, so idle ones may stay until their next request or the end.
    """

    seconds: float
    has_successor: bool


FromWorker = Ready | Counted | Wanted | Lines | Paired | Gone
FromMaster = Confirmed | Drain


class Link(asyncio.Protocol):
    """One end. `on_message` gets each whole message, `on_end` is called once."""

    def __init__(self, on_message: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_end = on_end
        self._held = b""
        self._transport: asyncio.WriteTransport = cast(asyncio.WriteTransport, None)

    def send(self, message: FromWorker | FromMaster) -> None:
        """Write one message; lost silently when the other end is gone."""
        if not self._transport.is_closing():
            encoded = msgspec.json.encode(message)
            self._transport.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)

    @property
    def is_congested(self) -> bool:
        """Much has not been read by the other end yet: what can wait, or be lost, should not be sent now."""
        return self._transport.get_write_buffer_size() > _CONGESTED_BYTES

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._held + data
        at = 0
        while len(data) - at >= _LENGTH_BYTES:
            end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
            if len(data) < end:
                break
            self._on_message(data[at + _LENGTH_BYTES : end])
            at = end
        self._held = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()
