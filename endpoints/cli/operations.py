"""Follows an operation of the studio to its end and shows its steps on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from endpoints.cli.client import Json, StudioClient
from endpoints.cli.failures import CommandFailed, StudioUnreachable
from endpoints.cli.terminal import Terminal, seconds
from endpoints.spec.failure import Failure
from endpoints.spec.states import OperationState, StepState

_OUTCOMES = {StepState.SUCCEEDED: "ok", StepState.FAILED: "failed", StepState.SKIPPED: "skipped"}
# A studio that restarts while we wait goes on with the operation; so do we.
_PATIENCE_S = 60.0


@dataclass(slots=True)
class Follower:
    """Prints each step once when it ends, and the running one as the line that moves."""

    client: StudioClient
    terminal: Terminal
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _told: set[str] = field(default_factory=set)

    def follow(self, operation: Json) -> Json:
        """The finished operation. Raises CommandFailed with the studio's explanation when it failed."""
        interval_s = 0.2
        with self.terminal:
            self._tell(operation)
            while operation["state"] == OperationState.RUNNING:
                self.sleep(interval_s)
                interval_s = min(interval_s * 1.1, 1.0)
                operation = self._look(str(operation["id"]))
                self._tell(operation)
        if operation["state"] != OperationState.SUCCEEDED:
            raise failure_of(operation)
        return operation

    def _look(self, operation_id: str) -> Json:
        waited_s = 0.0
        while True:
            try:
                found: Json = self.client.get("operations", operation_id)
                return found
            except StudioUnreachable:
                if waited_s >= _PATIENCE_S:
                    raise
                self.terminal.show("the studio does not answer; waiting for it")
                self.sleep(1.0)
                waited_s += 1.0

    def _tell(self, operation: Json) -> None:
        for step in operation.get("steps") or ():
            if step["state"] in _OUTCOMES and step["key"] not in self._told:
                self._told.add(step["key"])
                self.terminal.mark(_OUTCOMES[step["state"]], _step_text(step, self.now()))
        running = next((step for step in operation.get("steps") or () if step["state"] == StepState.RUNNING), None)
        if running:
            self.terminal.show(_step_text(running, self.now()))


def _step_text(step: Json, now: datetime) -> str:
    text = str(step["title"])
    if detail := step.get("detail"):
        text += f": {detail}"
    if started := _time(step.get("started_at")):
        text += f"  {seconds(((_time(step.get('finished_at')) or now) - started).total_seconds())}"
    return text


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def failure_of(operation: Json) -> CommandFailed:
    """What the operation's failure says, as the command's."""
    failure: Json | None = operation.get("failure")
    if not failure:
        return CommandFailed(f"{operation.get('summary') or operation['kind']}: {operation['state']}.")
    return CommandFailed(
        f"{failure['code']}: {failure['message']}", hints=explained(msgspec.convert(failure, Failure, strict=False))
    )


def explained(failure: Failure) -> list[str]:
    """Lines below the message: where, what to do, what the log said last."""
    lines = []
    if failure.file:
        lines.append(f"Where: {failure.file}" + (f", line {failure.line}" if failure.line else ""))
    if failure.advice:
        lines.append(f"What to do: {failure.advice}")
    if failure.log_tail:
        lines += ["Last lines of the log:", *(f"  | {line}" for line in failure.log_tail)]
    return lines


def operation_in(answer: Any) -> Json | None:
    """The operation an accepted change started, None where it was finished at once."""
    if not isinstance(answer, dict):
        return None
    inner = answer.get("operation", answer)
    return inner if isinstance(inner, dict) and "state" in inner and "kind" in inner else None
