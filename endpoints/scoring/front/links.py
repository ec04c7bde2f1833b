"""The front's ends of the workers' seats. Frames in and out; nothing of HTTP, nothing of who gets what."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import wire
from ..rendezvous import SECRET_BYTES, Rendezvous
from ..wire import FrameReader
from .outbox import Outbox
from .poller import READ, WRITE, Poller
from .roster import Seat
from .ticket import Ticket


class Link:
    """To one seat. `seat` is None until its worker has said hello."""

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        self.socket = accepted
        self.descriptor = accepted.fileno()
        self.outbox = Outbox(accepted)
        self.reader = FrameReader()
        self.seat: Optional[Seat] = None
        self.calls: List[Tuple[Any, ...]] = []  # to be packed into one frame
        self.is_dirty = False  # has something to send at the end of the turn
        self.wants_room = False  # the worker does not read just now
        self.is_proven = False
        self._secret = b""

    def receive(self, rendezvous: Rendezvous) -> bool:
        """Take in what there is. False when the other side is gone, or a stranger."""
        try:
            data = self.socket.recv(wire.RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if not self.is_proven:
            data = self._secret + data
            self._secret = data[:SECRET_BYTES]
            if len(data) < SECRET_BYTES:
                return bool(data)
            if not rendezvous.is_secret(self._secret):
                return False
            self.is_proven = True
            self.reader.feed(data[SECRET_BYTES:])
            return True
        self.reader.feed(data)
        return bool(data)


class Links:
    """All of them, and who of them the poller watches."""

    def __init__(self, poller: Poller, rendezvous: Rendezvous) -> None:
        self._poller = poller
        self._rendezvous = rendezvous
        self._links: Dict[int, Link] = {}
        self._dirty: List[Link] = []
        self.has_passed_long = False  # a body of several packets
        self.find: Callable[[int], Optional[Link]] = self._links.get
        rendezvous.listener.setblocking(False)
        poller.watch(rendezvous.listener.fileno())

    def accept(self, descriptor: int) -> None:
        """Take a worker who waits at the rendezvous; nothing when the descriptor is another."""
        if descriptor != self._rendezvous.listener.fileno():
            return
        with suppress(OSError):
            accepted, _ = self._rendezvous.listener.accept()
            link = Link(accepted)
            self._links[link.descriptor] = link
            self._poller.watch(link.descriptor)

    def receive(self, link: Link) -> bool:
        return link.receive(self._rendezvous)

    def close(self, link: Link) -> None:
        self._poller.forget(link.descriptor)
        self._links.pop(link.descriptor, None)
        link.socket.close()

    def any(self) -> Optional[Link]:
        return next((link for link in self._links.values() if link.seat is not None), None)

    # Sending

    def put(self, link: Link, data: bytes) -> None:
        """Send it at the end of the turn."""
        self._pack(link)
        link.outbox.put(data)
        self._mark(link)

    def _mark(self, link: Link) -> None:
        if not link.is_dirty:
            link.is_dirty = True
            self._dirty.append(link)

    def put_calls(self, link: Link, tickets: List[Ticket], *, is_batch: bool) -> None:
        """Calls, sent at the end of the turn; with a body that is too long for a frame, its pieces: none stay here."""
        for ticket in tickets:
            request = ticket.request
            size = sum([len(part) for part in request.parts])
            is_long = size > wire.INLINE_BYTES
            body = b"" if is_long else request.body
            fields = (
                ticket.number,
                ticket.received_at,
                ticket.ids.request_id,
                request.content_type,
                request.head,
                body,
            )
            if is_long:
                self.has_passed_long = True
                self._pack(link, is_batch=is_batch)
                self.put(link, wire.encode(wire.LONG_CALL, is_batch, fields, size))
                for part in request.parts:
                    link.outbox.put(part)
                request.parts = []
            else:
                link.calls.append(fields)
        if is_batch:
            self._pack(link, is_batch=True)
        self._mark(link)

    @staticmethod
    def _pack(link: Link, *, is_batch: bool = False) -> None:
        if link.calls and link.seat is not None:
            link.outbox.put(wire.encode(wire.CALLS, is_batch, link.seat.answers_together, link.calls))
            link.calls = []

    def say_to_all(self, frame: bytes) -> None:
        for link in list(self._links.values()):
            if link.seat is not None:
                self.put(link, frame)
        self.flush()

    def flush(self) -> None:
        """Everything that may go out."""
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for link in dirty:
                link.is_dirty = False
                self.flush_one(link)

    def flush_one(self, link: Link) -> None:
        """What does not fit waits until the worker reads on."""
        self._pack(link)
        with suppress(OSError):  # gone: reading will tell
            wants_room = not link.outbox.flush()
            if wants_room != link.wants_room:
                link.wants_room = wants_room
                self._poller.change(link.descriptor, READ | WRITE if wants_room else READ)
