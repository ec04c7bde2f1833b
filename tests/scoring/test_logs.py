"""Lines from a script's print and logging to the rotated file."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from endpoints.scoring.ledger import SIZE, Ledger
from endpoints.scoring.logs import RecordPipe
from endpoints.scoring.pump import LineReader, RotatingFile, Sink, make_line, render
from endpoints.scoring.supervisor import RECORDS_BYTES, _make_pipes
from tests.scoring.conftest import Start

SCRIPT = """
    import logging, os, subprocess, sys, warnings

    def init():
        print("two", "words", sep="-")
        print("aside", file=sys.stderr)
        sys.stdout.write("written\\n")
        subprocess.run(["echo", "from a child"])
        logging.debug("too quiet")
        warnings.warn("beware")

    def run(raw):
        print("line 1\\nline 2", end="")
        logging.info("informed")
        logging.getLogger("mine").error("failed %d", 7)
        return 1
"""


def test_print_and_logging_carry_the_request_id(start: Start) -> None:
    running = start(SCRIPT)
    running.score(x_request_id="r-1")
    asked = running.wait_for_message("POST /score 200")
    of_request = {line["message"]: line for line in running.log() if line.get("request_id") == "r-1"}
    assert of_request["line 1\nline 2"]["logger"] == "azmlinfsrv.print"
    assert (of_request["informed"]["logger"], of_request["informed"]["level"]) == ("root", "INFO")
    assert (of_request["failed 7"]["logger"], of_request["failed 7"]["level"]) == ("mine", "ERROR")
    assert re.fullmatch(r"POST /score 200 \d+\.\d{3}ms 1", asked["message"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", asked["t"])
    assert list(asked) == ["t", "level", "logger", "message", "request_id", "pid"]


def test_every_stream_reaches_the_log(start: Start) -> None:
    running = start(SCRIPT)
    lines = {line["message"]: line for line in running.log()}
    assert lines["two-words"]["logger"] == "azmlinfsrv.print"
    assert (lines["aside"]["logger"], lines["aside"]["level"]) == ("stderr", "WARNING")
    assert lines["written"]["logger"] == "stdout"
    assert lines["from a child"]["logger"] == "stdout"
    assert any("UserWarning: beware" in message for message in lines)
    assert "too quiet" not in lines
    assert all("request_id" not in line for line in lines.values())


def test_health_is_not_logged_and_swagger_is(start: Start) -> None:
    running = start(SCRIPT)
    running.request("GET", "/")
    running.request("GET", "/swagger.json?version=3")
    running.wait_for_message("GET /swagger.json?version=3 200")
    assert not any(message.startswith("GET / ") for message in running.messages())


def test_the_level_is_a_setting(start: Start) -> None:
    running = start(SCRIPT, AZUREML_LOG_LEVEL="error")
    running.score()
    running.wait_for_message("failed 7")
    assert not any(line["level"] == "INFO" and line["logger"] == "root" for line in running.log())


def test_the_users_logging_json_is_in_force(start: Start, tmp_path: Path) -> None:
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"own": {"format": "OWN %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "own"}},
        "root": {"level": "INFO", "handlers": ["out"]},
    }
    (tmp_path / "app0").mkdir()
    (tmp_path / "app0" / "logging.json").write_text(json.dumps(config))
    running = start(SCRIPT)
    running.score()
    assert running.wait_for_message("OWN informed")["logger"] == "stdout"
    running.wait_for_message("OWN POST /score 200")


def test_an_exception_is_logged_with_its_traceback(start: Start) -> None:
    running = start("def init(): pass\ndef run(raw): return 1 / 0")
    running.score(x_request_id="broken")
    line = running.wait_for_message("ZeroDivisionError")
    assert (line["level"], line["request_id"]) == ("ERROR", "broken")
    assert line["message"].startswith("Encountered Exception: Traceback (most recent call last):")


def test_the_log_of_a_running_server_is_rotated(start: Start) -> None:
    running = start("def init(): pass\ndef run(raw): print('x' * 500)", "--log-max-bytes", "4000", "--log-keep", "2")
    for _ in range(40):
        running.score()
    running.stop()
    names = sorted(path.name for path in running.folder.glob("log.jsonl*"))
    assert names == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    for name in names:
        text = (running.folder / name).read_text()
        assert len(text) <= 4000
        assert all(json.loads(line)["t"] for line in text.splitlines())


def test_rotation_never_cuts_a_line(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.jsonl"
    sink = RotatingFile(str(path), max_bytes=10, keep=2)
    sink.write(b"1234\n5678\nabcd\n")
    sink.write(b"a line that is longer than the limit\n")
    sink.write(b"z\n")
    assert path.read_bytes() == b"z\n"
    assert path.with_name("a.jsonl.1").read_bytes() == b"a line that is longer than the limit\n"
    assert path.with_name("a.jsonl.2").read_bytes() == b"abcd\n"
    assert not path.with_name("a.jsonl.3").exists()


def test_an_existing_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"old\n")
    RotatingFile(str(path), max_bytes=100, keep=1).write(b"new\n")
    assert path.read_bytes() == b"old\nnew\n"


class Kept(Sink):
    def __init__(self) -> None:
        self.data = b""

    def write(self, lines: bytes) -> None:
        self.data += lines


@pytest.mark.parametrize(("stream", "level"), [("stdout", "INFO"), ("stderr", "WARNING")])
def test_raw_output_becomes_lines(stream: str, level: str) -> None:
    read, write = os.pipe()
    sink = Kept()
    reader = LineReader(read, stream, sink, pid=5)
    os.write(write, b"one\n\xff tw")
    assert reader.read()
    os.write(write, b"o\nrest")
    os.close(write)
    reader.drain()
    os.close(read)
    lines = [json.loads(line) for line in sink.data.splitlines()]
    assert [line["message"] for line in lines] == ["one", "\ufffd two", "rest"]
    assert {(line["level"], line["logger"], line["pid"]) for line in lines} == {(level, stream, 5)}


def test_lines_of_a_request_wait_until_they_are_flushed_or_too_many() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    pipe = RecordPipe(write, Ledger())
    pipe.defer([("answered", "r")])
    with pytest.raises(BlockingIOError):
        os.read(read, 10)
    pipe.flush()
    assert json.loads(os.read(read, 1000))["message"] == "answered"
    for _ in range(SIZE // 1000 + 1):
        pipe.defer([("x" * 1000, "r")])
    assert os.read(read, SIZE).count(b"\n") > SIZE // 1200
    os.close(read)
    os.close(write)


def test_lines_that_come_together_keep_their_ids() -> None:
    ledger = Ledger()
    RecordPipe(-1, ledger).defer([("one", "r1"), ('"two"', "r2")])
    lines = [json.loads(line) for line in ledger.read().splitlines()]
    assert [(line["message"], line["request_id"]) for line in lines] == [("one", "r1"), ('"two"', "r2")]


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe can be set on Linux only")
def test_a_worker_may_write_several_times_before_its_lines_are_read() -> None:
    read, write = _make_pipes()
    os.set_blocking(write.records, False)
    assert os.write(write.records, b"x" * RECORDS_BYTES) == RECORDS_BYTES
    for descriptor in (*read.descriptors, *write.descriptors):
        os.close(descriptor)


def test_what_a_process_left_in_its_ledger_can_be_read() -> None:
    ledger = Ledger()
    pid = os.fork()
    if pid == 0:
        ledger.append(b"last words\n")
        os._exit(0)
    os.waitpid(pid, 0)
    assert ledger.read() == b"last words\n"
    assert not ledger.append(b"x" * SIZE)


def test_lines_are_rendered_as_the_original_writes_them() -> None:
    line = make_line("INFO", "azmlinfsrv.print", "hello", pid=12, at=1768997057.201)
    assert render(line) == "2026-01-21 12:04:17,201 I [12] azmlinfsrv.print - hello\n"
    assert render(b"not json") == "not json\n"
