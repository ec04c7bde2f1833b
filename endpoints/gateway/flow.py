"""Why reading from a client is paused; several reasons may hold at once, and reading goes on when none is left."""

from __future__ import annotations

from typing import Final

HELD: Final = 1  # what has arrived waits for a connection to an instance
UPSTREAM_FULL: Final = 2  # the instance takes the body more slowly than it comes
PIPELINED: Final = 4  # requests wait behind the one being answered
UNREAD: Final = 8  # the client does not read its answers
