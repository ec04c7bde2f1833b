"""Rotated JSON-lines logs: read from either end across rotations, tolerant of what is not JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from endpoints.spec.loglines import (
    LogFilter,
    LogLine,
    LogWriter,
    files_of,
    format_line,
    merge,
    parse_line,
    read,
    render,
    tail,
)
from tests.spec.logs import NOON, at, messages, put, rotate


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "inference-server.jsonl"


# Lines


def test_a_line_survives_writing_and_reading():
    line = LogLine(NOON, "WARNING", "naïve\nsecond", logger="x.y", request_id="r-1", pid=7)
    assert parse_line(format_line(line), fallback_at=NOON) == line


def test_a_line_is_written_with_milliseconds_and_z():
    assert json.loads(format_line(at(0.2017)))["t"] == "2026-01-31T12:00:00.201Z"


@pytest.mark.parametrize("raw", [b"Segmentation fault\n", b'{"t": 3}', b"[1]", b'{"t": "yesterday"}', b"\xff\xfe"])
def test_what_is_no_line_of_ours_becomes_text_dated_by_its_neighbour(raw: bytes):
    line = parse_line(raw, fallback_at=NOON, instance_id="blue-1")
    assert (line.at, line.level, line.instance_id) == (NOON, "INFO", "blue-1")
    assert line.message


def test_a_line_is_rendered_as_the_inference_server_prints_it():
    line = LogLine(NOON + timedelta(milliseconds=201), "INFO", "hello", logger="azmlinfsrv.print", pid=123)
    assert render(line) == "2026-01-31 12:00:00,201 I [123] azmlinfsrv.print - hello"


# Reading


def test_a_log_is_read_oldest_first_across_its_rotations(log: Path):
    put(log, at(1), at(2))
    rotate(log)
    put(log, at(3))
    rotate(log)
    put(log, at(4))
    assert messages(read(log)) == ["line 1", "line 2", "line 3", "line 4"]


def test_a_log_that_does_not_exist_is_empty(log: Path):
    assert list(read(log)) == []
    assert list(read(log, lines=5)) == []


def test_the_last_lines_are_found_across_rotations(log: Path):
    put(log, at(1), at(2))
    rotate(log)
    put(log, at(3), at(4))
    assert messages(read(log, lines=3)) == ["line 2", "line 3", "line 4"]


def test_the_last_matching_lines_are_found_however_far_back(log: Path):
    put(log, at(0, "wanted"), *(at(second) for second in range(1, 2000)))
    assert messages(read(log, lines=1, where=LogFilter(text="WANTED"))) == ["wanted"]


def test_the_last_lines_of_a_big_log_are_read_without_reading_all_of_it(log: Path, monkeypatch: pytest.MonkeyPatch):
    put(log, *(at(second, "x" * 1000) for second in range(5000)))
    parsed: list[bytes] = []

    def counting(raw: bytes, **_: object) -> LogLine:
        parsed.append(raw)
        return at(0, "x")

    monkeypatch.setattr("endpoints.spec.loglines.parse_line", counting)
    assert len(list(read(log, lines=10))) == 10
    assert len(parsed) == 10


def test_zero_lines_are_no_lines(log: Path):
    assert list(read(put(log, at(1)), lines=0)) == []


def test_lines_are_told_apart_by_level_request_time_and_text(log: Path):
    put(log, at(1, "a", level="DEBUG"), at(2, "b", level="ERROR"), at(3, "c", request_id="r"), at(4, "Dd"))

    def found(**where: object) -> list[str]:
        return messages(read(log, where=LogFilter(**where)))  # type: ignore[arg-type]

    assert found(level="WARNING") == ["b"]
    assert found(request_id="r") == ["c"]
    assert found(text="dD") == ["Dd"]
    assert found(since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=4)) == ["b", "c"]


def test_lines_before_a_moment_are_not_even_parsed_from_the_end(log: Path):
    put(log, *(at(second) for second in range(1000)))
    since = NOON + timedelta(seconds=998)
    assert messages(read(log, lines=50, where=LogFilter(since=since))) == ["line 998", "line 999"]


def test_a_traceback_written_raw_is_read_in_its_place(log: Path):
    put(log, at(1))
    with log.open("ab") as file:
        file.write(b"Traceback (most recent call last):\n  boom\n")
    put(log, at(2))
    expected = ["line 1", "Traceback (most recent call last):", "  boom", "line 2"]
    assert messages(read(log)) == messages(read(log, lines=9)) == expected


def test_an_endless_line_is_cut_instead_of_filling_the_memory(log: Path):
    log.write_bytes(b"x" * 3_000_000)
    assert all(len(line.message) <= 1_200_000 for line in read(log))
    assert all(len(line.message) <= 1_200_000 for line in read(log, lines=9))


def test_logs_of_several_instances_are_merged_by_time():
    assert messages(merge([[at(1), at(4)], [at(2), at(3)]])) == ["line 1", "line 2", "line 3", "line 4"]
    assert messages(tail([[at(1), at(4)], [at(2), at(3)]], 2)) == ["line 3", "line 4"]


# Writing


def test_a_writer_rotates_and_keeps_so_many(log: Path):
    writer = LogWriter(log, logger="build", max_bytes=300, keep=2, now=lambda: NOON)
    for number in range(20):
        writer.write(f"message {number}")
    assert len(files_of(log)) == 3
    assert all(file.stat().st_size <= 300 for file in files_of(log))
    assert messages(read(log))[-1] == "message 19"
