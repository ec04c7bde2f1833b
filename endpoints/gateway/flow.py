"""Why reading from a client, or from an instance, is paused; it goes on when none of its reasons is left."""

from __future__ import annotations

from typing import Final

HELD: Final = 1  # what has arrived waits for a connection to an instance
UPSTREAM_FULL: Final = 2  # the instance takes the body more slowly than it comes
PIPELINED: Final = 4  # requests wait behind the one being answered
UNREAD: Final = 8  # the client does not read its answers
THROTTLED: Final = 16  # the endpoint has passed on as much as it may for now
