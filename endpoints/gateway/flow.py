"""Why reading from a client is paused; several reasons may hold at once, and reading goes on when none is left."""

HELD = 1  # what has arrived waits for a connection to an instance
UPSTREAM_FULL = 2  # the instance takes the body more slowly than it comes
PIPELINED = 4  # requests wait behind the one being answered
UNREAD = 8  # the client does not read its answers
