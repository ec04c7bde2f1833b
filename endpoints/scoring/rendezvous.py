"""Where workers find the front: a socket that the supervisor holds, so that either may die and come back.

Whoever comes must know the secret before a byte of theirs is understood: the socket's name can be seen by others on
this machine, and frames are trusted.
"""

from __future__ import annotations

import hmac
import os
import socket
import sys
import tempfile
from typing import Any, NamedTuple

SECRET_BYTES = 32
_BACKLOG = 1024


class Rendezvous(NamedTuple):
    """`listener` is for the front, the rest for workers; all are inherited through forks."""

    listener: socket.socket
    address: Any
    secret: bytes

    def join(self) -> socket.socket:
        """A worker's new connection; it waits in line when the front is not there. Raises OSError."""
        joined = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            joined.connect(self.address)
            joined.sendall(self.secret)
        except OSError:
            joined.close()
            raise
        return joined

    def is_secret(self, data: bytes) -> bool:
        return hmac.compare_digest(self.secret, data)


def open_rendezvous() -> Rendezvous:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if sys.platform == "linux":
        listener.bind("")  # the kernel finds a free name that is no file
    else:
        listener.bind(os.path.join(tempfile.mkdtemp(), "front"))
    listener.listen(_BACKLOG)
    return Rendezvous(listener, listener.getsockname(), os.urandom(SECRET_BYTES))
