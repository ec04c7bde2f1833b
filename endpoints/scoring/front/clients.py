"""The listeners and the clients' connections, and who of them the poller watches. Knows no requests."""

from __future__ import annotations

import resource
import socket
from typing import Callable, Dict, List, Optional, Sequence

from ..answers import error
from ..http.parser import RequestParser
from .connection import Connection
from .poller import READ, Poller

IDLE_S = 120.0  # kept connections may stay silent that long
HEAD_S = 60.0  # a request's head must have come by then, and a body may not pause longer
SEND_STALL_S = 60.0  # a client that takes nothing of its answer for so long has lost interest
LINGER_S = 2.0
MAX_CONNECTIONS = 4000
SPARE_DESCRIPTORS = 128  # for everything that is no client
ACCEPT_AT_ONCE = 32
BACKLOG = 2048


class Clients:
    """Accepts, watches and closes."""

    def __init__(self, poller: Poller, listeners: Sequence[socket.socket]) -> None:
        self._poller = poller
        self._listeners: Dict[int, socket.socket] = {listener.fileno(): listener for listener in listeners}
        self._connections: Dict[int, Connection] = {}
        self._is_open = False
        self._is_accepting = False
        self._limit = min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS)
        self.find: Callable[[int], Optional[Connection]] = self._connections.get

    def __bool__(self) -> bool:
        return bool(self._connections)

    def all(self) -> List[Connection]:
        return list(self._connections.values())

    # Listeners

    def open(self) -> None:
        """Listen and accept."""
        self._is_open = True
        self._go_on_accepting()

    def stop_accepting(self) -> None:
        """Leave whoever comes to the supervisor, who refuses them unless there soon is a worker again."""
        self._is_open = False
        self._pause_accepting()

    def _go_on_accepting(self) -> None:
        if self._is_accepting or not self._is_open or len(self._connections) >= self._limit:
            return
        self._is_accepting = True
        for descriptor, listener in self._listeners.items():
            listener.setblocking(False)
            listener.listen(BACKLOG)
            self._poller.watch(descriptor)

    def _pause_accepting(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            for descriptor in self._listeners:
                self._poller.forget(descriptor)

    def accept(self, descriptor: int) -> None:
        """Take who waits at the listener; nothing when the descriptor is none."""
        listener = self._listeners.get(descriptor)
        if listener is None:
            return
        for _ in range(ACCEPT_AT_ONCE):
            try:
                accepted, _address = listener.accept()
            except OSError:
                break
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(accepted, RequestParser())
            self._connections[connection.descriptor] = connection
            self.watch(connection, READ)
        if len(self._connections) >= self._limit:
            self._pause_accepting()

    # Connections

    def watch(self, connection: Connection, events: int) -> None:
        """Look for these events; with 0, only for its end."""
        if connection.is_closed or connection.watched == events:
            return
        if connection.watched is None:
            self._poller.watch(connection.descriptor, events)
        else:
            self._poller.change(connection.descriptor, events)
        connection.watched = events

    def hang_up(self, connection: Connection) -> None:
        """End it so that the client still hears the last answer."""
        connection.hang_up()
        if connection.is_lingering:
            self.watch(connection, READ)
        else:
            self.close(connection)

    def close(self, connection: Connection) -> None:
        if connection.is_closed:
            return
        if connection.watched is not None:
            self._poller.forget(connection.descriptor)
        self._connections.pop(connection.descriptor, None)
        connection.close()
        if not self._is_accepting:
            self._go_on_accepting()

    def close_all(self) -> None:
        for connection in self.all():
            self.close(connection)

    def sweep(self, now: float) -> None:
        """End connections whose client does nothing."""
        for connection in self.all():
            if connection.ticket is not None and not connection.outbox.pieces:
                continue
            silent_s = now - connection.touched_at
            if connection.is_lingering:
                is_over = silent_s > LINGER_S
            elif connection.outbox.pieces:
                is_over = silent_s > SEND_STALL_S
            elif connection.parser.is_idle:
                is_over = silent_s > IDLE_S
            else:
                is_over = silent_s > HEAD_S or (connection.parser.is_in_head and now - connection.began_at > HEAD_S)
                if is_over:
                    late = error(408, "The request did not arrive in time.")
                    connection.answer(late, method="GET", keep_alive=False, is_http10=False)
            if is_over:
                self.close(connection)

    def close_idle(self, now: float) -> None:
        """Before a stop: end every connection on which no request is under way."""
        for connection in self.all():
            if connection.ticket is not None or connection.outbox.pieces or not connection.parser.is_idle:
                continue
            if connection.is_lingering:
                if now - connection.touched_at > LINGER_S / 4:
                    self.close(connection)
            elif connection.is_gone() or not connection.has_unread():
                self.close(connection)


def listen_on(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet, so that callers are refused rather than kept waiting. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    if port:
        return listener
    # Only a port that was asked for by number stays ours when the socket stops listening for a while.
    fixed = listen_on(host, listener.getsockname()[1])
    listener.close()
    return fixed
