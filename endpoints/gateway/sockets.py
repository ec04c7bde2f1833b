"""Listening sockets: one for each process on the same port, all made and held by the master.

Because the master holds them, a connection that waits to be accepted outlives the process that was about to.
"""

from __future__ import annotations

import errno
import socket

BACKLOG = 4096


class PortTaken(Exception):
    """Someone else listens there; the message names address and port."""


def bind(host: str, port: int, *, count: int, may_share: bool = False) -> list[socket.socket]:
    """`count` listening sockets on one port (0: any free one). may_share: a gateway that is about to end has it still.

    Raises PortTaken.
    """
    if not may_share and port:
        with _socket(host) as probe:  # SO_REUSEPORT would join a stranger's port without a word
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(probe, host, port)
    bound: list[socket.socket] = []
    for _ in range(count):
        listener = _socket(host)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(listener, host, port)
        port = listener.getsockname()[1]
        listener.listen(BACKLOG)
        listener.setblocking(False)
        bound.append(listener)
    return bound


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)


def _bind(listener: socket.socket, host: str, port: int) -> None:
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} on {host} is taken by another process.") from None
        raise PortTaken(f"Port {port} on {host} cannot be used: {error.strerror}.") from None
