"""Following an operation."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from endpoints.cli.failures import CommandFailed, StudioUnreachable
from endpoints.cli.operations import Follower, operation_in
from endpoints.cli.terminal import Terminal

NOW = datetime(2026, 1, 31, 12, 0, 10, tzinfo=UTC)
START, END = "2026-01-31T12:00:00+00:00", "2026-01-31T12:00:02.500000Z"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Client:
    """Answers one state after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def get(self, *path: str) -> Any:
        assert path == ("operations", "7")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def step(key: str, state: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "title": key.capitalize(), "state": state, "detail": "", "started_at": None, **more}


def operation(state: str, *steps: dict[str, Any], failure: Any = None) -> dict[str, Any]:
    return {"id": "7", "kind": "CreateDeployment", "state": state, "steps": list(steps), "failure": failure}


def follow(first: dict[str, Any], *later: Any, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    follower = Follower(Client(*later), Terminal(stream), sleep=lambda _: None, now=lambda: NOW)  # type: ignore[arg-type]
    follower.follow(first)
    return stream.getvalue()


def test_each_step_is_told_once_when_it_ends():
    quota = step("quota", "Succeeded", detail="48 of 100 cores", started_at=START, finished_at=END)
    out = follow(
        operation("Running", quota, step("ready", "Running")),
        operation("Running", quota, step("ready", "Running")),
        operation("Succeeded", quota, step("ready", "Skipped")),
    )
    assert out.splitlines() == ["   done  Quota: 48 of 100 cores  2.5 s", "skipped  Ready"]


def test_on_a_terminal_the_running_step_is_a_line_that_moves():
    out = follow(operation("Running", step("ready", "Running", started_at=START)), operation("Succeeded"), stream=Tty())
    assert "Ready  10 s" in out
    assert out.endswith("\r\033[2K")


def test_a_line_that_moves_never_wraps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Tty()
    Terminal(stream).show("x" * 100)
    assert len(stream.getvalue().removeprefix("\r\033[2K")) < 40


def test_a_failure_says_why_where_and_what_to_do():
    failure = {"code": "UserScriptInitFailed", "message": "init() raised KeyError", "advice": "Set X.",
               "file": "score.py", "line": 12, "log_tail": ["Traceback", "KeyError: 'X'"]}  # fmt: skip
    with pytest.raises(CommandFailed) as caught:
        follow(operation("Failed", step("ready", "Failed"), failure=failure))
    assert caught.value.message == "UserScriptInitFailed: init() raised KeyError"
    assert caught.value.hints == (
        "Where: score.py, line 12",
        "What to do: Set X.",
        "Last lines of the log:",
        "  | Traceback",
        "  | KeyError: 'X'",
    )


def test_a_canceled_operation_is_no_success():
    with pytest.raises(CommandFailed, match="Canceled"):
        follow(operation("Canceled"))


def test_a_studio_that_restarts_is_waited_for():
    assert (
        follow(operation("Running"), StudioUnreachable("gone"), StudioUnreachable("gone"), operation("Succeeded")) == ""
    )


def test_a_studio_that_stays_away_is_given_up():
    with pytest.raises(StudioUnreachable):
        follow(operation("Running"), *[StudioUnreachable("gone")] * 100)


def test_an_operation_is_found_in_an_answer():
    running = operation("Running")
    assert operation_in(running) == operation_in({"operation": running, "name": "blue"}) == running
    assert operation_in({"name": "e", "state": "x"}) is operation_in(None) is None
