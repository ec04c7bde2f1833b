"""What one command works with: the studio, the terminal, and the means to follow what was started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from endpoints.cli.client import Json, StudioClient
from endpoints.cli.connection import find_connection
from endpoints.cli.operations import Follower, operation_in
from endpoints.cli.terminal import Terminal
from endpoints.cli.uploads import Uploader


@dataclass(frozen=True, slots=True)
class Session:
    client: StudioClient
    terminal: Terminal

    @property
    def uploader(self) -> Uploader:
        return Uploader(self.client, self.terminal)

    def finish(self, answer: Any, *, is_waited_for: bool) -> Json | None:
        """Follow the operation an answer carries; returns it, finished unless nobody waits for it."""
        operation = operation_in(answer)
        if operation is None and isinstance(answer, dict) and "operation" in answer:
            self.terminal.say("Nothing to change.")
        if operation is None or not is_waited_for:
            return operation
        return Follower(self.client, self.terminal).follow(operation)


@contextlib.contextmanager
def open_session() -> Iterator[Session]:
    """A session with the studio that the environment names."""
    with StudioClient(find_connection()) as client:
        yield Session(client, Terminal())
