"""Logs that grow, asked for in turns; and how many may do so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from endpoints.spec.followed_logs import Source
from endpoints.spec.loglines import LogFilter, LogLine, format_line
from endpoints.telemetry.logs import Followers, Tailer

AT = datetime(2026, 1, 31, 12, 4, 17, 201000, tzinfo=UTC)
EVERYTHING = LogFilter()


def write(path: Path, *messages: str, level: str = "INFO") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for message in messages:
            file.write(format_line(LogLine(at=AT, level=level, message=message)))


def messages(lines: list[LogLine]) -> list[str]:
    return [line.message for line in lines]


def test_history_is_the_last_lines_and_growth_comes_after(tmp_path: Path) -> None:
    path = tmp_path / "blue-1" / "x.jsonl"
    write(path, "one", "two", "three")
    tailer = Tailer(lambda: [Source(path, "blue-1")], where=EVERYTHING, lines=2)
    assert messages(tailer.history()) == ["two", "three"]
    assert tailer.poll() == []
    write(path, "four")
    assert messages(tailer.poll()) == ["four"]
    tailer.close()


def test_an_instance_that_starts_later_is_read_from_its_start(tmp_path: Path) -> None:
    sources = [Source(tmp_path / "a.jsonl", "a")]
    tailer = Tailer(lambda: sources, where=EVERYTHING, lines=10)
    assert tailer.history() == []
    write(tmp_path / "b.jsonl", "hello from b")
    sources.append(Source(tmp_path / "b.jsonl", "b"))
    assert messages(tailer.poll()) == ["hello from b"]
    tailer.close()


def test_only_what_the_filter_lets_pass_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, "fine")
    write(path, "broken", level="ERROR")
    tailer = Tailer(lambda: [Source(path)], where=LogFilter(level="WARNING"), lines=10)
    assert messages(tailer.history()) == ["broken"]
    write(path, "fine again")
    assert tailer.poll() == []
    tailer.close()


def test_a_place_is_free_again_when_a_follower_leaves() -> None:
    followers = Followers(most=1)
    with followers:
        assert followers.is_full
    assert not followers.is_full
