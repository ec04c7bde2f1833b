"""Who may look for news without sleeping, and for how long."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from endpoints.scoring import busy_poll, wire
from endpoints.scoring.busy_poll import usable_cores
from endpoints.scoring.call import Call
from endpoints.scoring.front.poller import Poller
from endpoints.scoring.front.roster import Roster
from endpoints.scoring.front.ticket import Ticket
from endpoints.scoring.http.request import HttpRequest
from endpoints.scoring.ids import Ids
from endpoints.scoring.seat import Seat
from endpoints.scoring.settings import load
from endpoints.scoring.wire import FrameReader, Offer

OFFER = Offer(wire.PLAIN, 1, is_raw=False, log_level=30, has_own_logging=False, documents={})


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "150000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 0),
        ({"cpu.max": "1600000 100000\n"}, 8),
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_cores_are_those_of_the_affinity_and_of_the_limit(
    tmp_path: Path, eight_cores: None, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("environ", "is_on"),
    [
        ({"WORKER_COUNT": "7"}, True),
        ({"WORKER_COUNT": "8"}, False),  # no core is left over
        ({"WORKER_COUNT": "8", "SLIPWAY_BUSY_POLL": "true"}, True),
        ({"SLIPWAY_BUSY_POLL": "false"}, False),
    ],
)
def test_it_is_on_where_there_is_a_core_to_spare(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_on: bool
) -> None:
    monkeypatch.setattr("endpoints.scoring.settings.usable_cores", lambda: 8)
    assert load(["--entry_script", "score.py"], environ).is_busy_polling is is_on


def test_a_poller_that_does_not_sleep_finds_what_is_there_and_gives_up_when_nothing_comes() -> None:
    poller, (read, write) = Poller(), os.pipe()
    try:
        poller.watch(read)
        assert poller.poll_busily(0.001) == []
        os.write(write, b"x")
        assert [descriptor for descriptor, _ in poller.poll_busily(60)] == [read]
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize(
    ("elapsed_s", "callers", "is_due"),
    [(0.00002, 8, True), (0.00002, 1, False), (0.5, 8, False), (0.00002, 0, False)],
)
def test_an_answer_is_due_while_several_callers_wait_for_short_calls(
    elapsed_s: float, callers: int, is_due: bool
) -> None:
    roster = Roster()
    seat = roster.join("worker", 1, 0, OFFER, 0.0)

    def submit(count: int) -> None:
        for _ in range(count):
            roster.submit(Ticket(HttpRequest(b"POST /score HTTP/1.1", ""), Ids("r", []), 0.0))
        while roster.next_assignment(0.0) is not None:
            pass

    for _ in range(100):
        submit(1)
        for number in list(seat.tickets):
            roster.done(seat, number, elapsed_s, 0.0)
    submit(callers)
    assert roster.is_answer_due is is_due


class Meeting:
    """Where a seat finds its front."""

    def __init__(self) -> None:
        self.front, self._worker = socket.socketpair()

    def join(self) -> socket.socket:
        return self._worker


def call_frame(number: int, together: int) -> bytes:
    fields = (number, 0.0, f"id-{number}", "application/json", b"POST /score HTTP/1.1", b"[]")
    return wire.encode(wire.CALLS, False, together, [fields])


@pytest.mark.parametrize("is_busy_polling", [True, False])
def test_a_seat_that_runs_out_of_calls_hands_over_what_it_holds_before_it_waits(is_busy_polling: bool) -> None:
    meeting = Meeting()
    meeting.front.settimeout(30)
    meeting.front.sendall(wire.encode(wire.WELCOME) + call_frame(1, together=2))
    noted: list[int] = []
    rendezvous: Any = meeting

    def note(answers: list[tuple[Call, bytes]]) -> None:
        noted.extend([call.number for call, _ in answers])

    seat = Seat(rendezvous, 0, OFFER, note, is_busy_polling=is_busy_polling)
    seat.sit_down()

    def answer(call: Call) -> None:
        call.elapsed_s = busy_poll.SHORT_CALL_S / 2
        seat.answer_plainly(call, b"[]")

    def ask_again_once_answered() -> None:
        reader = FrameReader()
        frame = None
        while frame is None or frame[0] != wire.ANSWERS:
            frame = reader.next()
            if frame is None:  # the greeting and the answer may come in one piece
                reader.feed(meeting.front.recv(1 << 16))
        meeting.front.sendall(call_frame(2, together=2))

    first = seat.next_work()
    assert first is not None
    answer(first.calls[0])
    assert noted == []  # held: there may be company
    front = threading.Thread(target=ask_again_once_answered, daemon=True)
    front.start()
    second = seat.next_work()
    assert second is not None and [call.number for call in second.calls] == [2]
    assert noted == [1]
    front.join(30)
    for one in (meeting.front, seat.socket):
        one.close()
