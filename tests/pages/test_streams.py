"""Logs followed live: history, growth, filters, an end, a bound, and nothing held for a reader who left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.http import StreamingHttpResponse

from endpoints.models import EnvironmentVersion, OnlineDeployment, OnlineEndpoint
from endpoints.selectors.logs import build_log_sources
from endpoints.spec.followed_logs import Source
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogFilter, LogLine, format_line
from endpoints.telemetry.logs import Tailer, followers
from studio.access.models import User
from studio.pages import streams
from studio.pages.streams import as_json, event_stream
from tests.pages.conftest import visiting

AT = datetime(2026, 1, 31, 12, 4, 17, 201000, tzinfo=UTC)
EVERYTHING = LogFilter()
FILE = "inference-server.jsonl"


def write(path: Path, *messages: str, level: str = "INFO") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for message in messages:
            file.write(format_line(LogLine(at=AT, level=level, message=message)))


def messages(lines: list[LogLine]) -> list[str]:
    return [line.message for line in lines]


async def events(answer: object) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """(event, data) of a stream, as a browser would read them."""
    assert isinstance(answer, StreamingHttpResponse)
    async for chunk in answer:
        for block in bytes(chunk).decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in fields:
                yield fields.get("event", "message"), json.loads(fields["data"])


def test_a_complete_log_ends_with_an_event(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, "</p><script>alert(1)</script>", "done")

    async def read() -> list[tuple[str, dict[str, str]]]:
        answer = event_stream(lambda: [Source(path)], where=EVERYTHING, lines=10, is_over=lambda: True)
        return [event async for event in events(answer)]

    found = asyncio.run(read())
    assert [(name, data.get("message")) for name, data in found] == [
        ("message", "</p><script>alert(1)</script>"),
        ("message", "done"),
        ("end", None),
    ]
    assert found[1][1]["time"] == "12:04:17.201"


def test_a_reader_who_leaves_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, "one")

    async def read_one_and_leave() -> tuple[int, int]:
        answer = event_stream(lambda: [Source(path)], where=EVERYTHING, lines=10)
        arrived = asyncio.Event()

        async def browse() -> None:
            async for _ in events(answer):
                arrived.set()

        reader = asyncio.create_task(browse())
        await arrived.wait()
        during = followers.count
        reader.cancel()  # what the server does when the connection breaks
        await asyncio.gather(reader, return_exceptions=True)
        return during, followers.count

    assert asyncio.run(read_one_and_leave()) == (1, 0)


def test_more_followers_than_allowed_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "most", 0)
    answer = event_stream(list, where=EVERYTHING, lines=10)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"


def test_a_stream_ends_after_its_age_so_that_browsers_come_again(tmp_path: Path) -> None:
    ticks = iter([0.0, streams.MAX_AGE_S + 1])
    clock: Callable[[], float] = lambda: next(ticks)  # noqa: E731

    async def read() -> list[bytes]:
        stream = streams._events(Tailer(list), is_over=lambda: False, clock=clock)
        return [chunk async for chunk in stream]

    assert asyncio.run(read()) == [b"retry: 2000\n\n"]
    assert followers.count == 0


@pytest.mark.parametrize(
    "url",
    [
        "/endpoints/diabetes-risk/deployments/blue/logs/stream",
        "/endpoints/diabetes-risk/deployments/blue/logs/text",
        "/environments/sklearn/1/build-log/stream",
        "/environments/sklearn/1/build-log/text",
    ],
)
def test_a_stranger_follows_nothing(url: str, stefan: User, risk: OnlineEndpoint) -> None:
    assert visiting(stefan).get(url).status_code in {403, 404}


def test_a_reader_follows_what_a_reader_may_read(rafael: User, risk: OnlineEndpoint) -> None:
    answer = visiting(rafael).get("/endpoints/diabetes-risk/deployments/blue/logs/stream?level=error&text=x")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("instance", ["../../secret", "..", "a/b"])
def test_an_instance_that_is_a_path_is_refused(instance: str, olivia: User, risk: OnlineEndpoint) -> None:
    answer = visiting(olivia).get("/endpoints/diabetes-risk/deployments/blue/logs/", {"instance": instance})
    assert answer.status_code == 422
    assert "is not the id of an instance" in answer.text


def test_the_log_page_has_the_last_lines_without_scripts(olivia: User, risk: OnlineEndpoint) -> None:
    blue = OnlineDeployment.objects.get(name="blue")
    write(Home(settings.SLIPWAY_HOME).deployment_logs("diabetes-risk", "blue") / "blue-1" / FILE, "model 1: loaded")
    page = visiting(olivia).get("/endpoints/diabetes-risk/deployments/blue/logs/?instance=blue-1")
    assert "model 1: loaded" in page.text
    assert blue.name in page.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", True), ("request=req-1", True), ("request=req-2", False), ("span=5m", False), ("span=nonsense", True)],
)
def test_lines_are_found_by_request_and_by_time(query: str, shown: bool, olivia: User, risk: OnlineEndpoint) -> None:
    line = {"t": "2026-01-31T12:00:00.000Z", "level": "INFO", "message": "scored one", "request_id": "req-1"}
    path = Home(settings.SLIPWAY_HOME).deployment_logs("diabetes-risk", "blue") / "blue-1" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    page = visiting(olivia).get(f"/endpoints/diabetes-risk/deployments/blue/logs/?{query}").text
    assert ("scored one" in page) == shown
    assert ('title="Lines of request req-1"' in page) == shown
    assert ("No line matches" in page) == (not shown)


def test_a_build_log_can_be_had_as_text(olivia: User, risk: OnlineEndpoint) -> None:
    row = EnvironmentVersion.objects.get(environment__name="sklearn")
    source, *_ = build_log_sources(olivia, row)()
    write(source.path, "Resolved 6 packages")
    lines = [as_json(line)["message"] for line in Tailer(lambda: [source], where=EVERYTHING, lines=5).history()]
    assert lines == ["Resolved 6 packages"]
    answer = visiting(olivia).get("/environments/sklearn/1/build-log/text")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
