"""Rotating logs followed: whole lines only, each once, across rotations and from instances that start later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from endpoints.spec.followed_logs import Follower, Source, follow
from endpoints.spec.loglines import format_line
from tests.spec.logs import at, messages, put, rotate


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "inference-server.jsonl"


def test_a_follower_gives_what_is_new_and_only_whole_lines(log: Path):
    put(log, at(1))
    follower = Follower(Source(log, "blue-1"))
    assert follower.poll() == []
    whole = format_line(at(2))
    with log.open("ab", buffering=0) as file:
        file.write(whole[:10])
        assert follower.poll() == []
        file.write(whole[10:])
    assert [(line.message, line.instance_id) for line in follower.poll()] == [("line 2", "blue-1")]


def test_a_follower_loses_nothing_when_the_log_rotates_twice_between_looks(log: Path):
    put(log, at(1))
    follower = Follower(Source(log))
    put(log, at(2))
    rotate(log)
    put(log, at(3))
    rotate(log)
    put(log, at(4))
    assert messages(follower.poll()) == ["line 2", "line 3", "line 4"]
    assert follower.poll() == []


def test_a_follower_waits_for_a_log_that_does_not_exist_yet(log: Path):
    follower = Follower(Source(log))
    assert follower.poll() == []
    put(log, at(1))
    assert messages(follower.poll()) == ["line 1"]


def test_a_follower_survives_truncation_and_removal(log: Path):
    put(log, at(1), at(2))
    follower = Follower(Source(log))
    log.write_bytes(format_line(at(3)))
    assert messages(follower.poll()) == ["line 3"]
    log.unlink()
    assert follower.poll() == []
    put(log, at(4))
    assert messages(follower.poll()) == ["line 4"]


def steps(*actions: Callable[[], object]) -> Callable[[float], None]:
    """A pause that does the next thing instead of waiting."""
    remaining = list(actions)

    def pause(_: float) -> None:
        if remaining:
            remaining.pop(0)()

    return pause


def test_following_begins_with_the_last_lines_and_joins_new_instances_from_their_start(tmp_path: Path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    put(first, at(1), at(2), at(3))
    sources = [Source(first, "a")]
    over: list[bool] = []

    def second_instance() -> None:
        put(second, at(4))
        put(first, at(5))
        sources.append(Source(second, "b"))

    pause = steps(second_instance, lambda: over.append(True))
    found = list(follow(lambda: sources, lines=2, pause=pause, is_over=lambda: bool(over)))
    assert [(line.message, line.instance_id) for line in found] == [
        ("line 2", "a"),
        ("line 3", "a"),
        ("line 4", "b"),
        ("line 5", "a"),
    ]


def test_lines_written_while_history_is_read_come_once(log: Path):
    put(log, at(1))
    lines = follow(lambda: [Source(log)], pause=lambda _: None)
    assert next(lines).message == "line 1"
    put(log, at(2))
    assert next(lines).message == "line 2"
    lines.close()


def test_what_is_written_before_the_end_is_delivered_after_it(log: Path):
    def is_over() -> bool:
        put(log, at(9, "last words"))
        return True

    assert messages(follow(lambda: [Source(log)], is_over=is_over)) == ["last words"]
