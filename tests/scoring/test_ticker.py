"""The thread that looks after the others, and those that let it sleep on."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from endpoints.scoring import ticker as ticker_module
from endpoints.scoring.alarm_clock import AlarmClock
from endpoints.scoring.call import Call
from endpoints.scoring.http.request import HttpRequest
from endpoints.scoring.ticker import LOOK_S, TICK_S, Ticker
from endpoints.scoring.watchdog import Watchdog


class Clock:
    """Counts how often the ticker's waking was put off."""

    put_offs = 0

    def put_off(self) -> None:
        self.put_offs += 1


class Stage:
    """A ticker whose thread does not run, in a time of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.line_flushes = 0
        monkeypatch.setattr(ticker_module, "perf_counter", lambda: self.now)
        self.watchdog = Watchdog(timeout_ms=0, stuck_after_ms=0, worker_timeout_s=0)
        self.ticker = Ticker(self.watchdog, flush=_nothing, flush_lines=self._flush_lines, pulse=_nothing)
        self.clock: Any = Clock()
        monkeypatch.setattr(self.ticker, "_clock", self.clock)
        self.ticker._looked_at = self.now

    def _flush_lines(self) -> None:
        self.line_flushes += 1

    def pass_time(self, seconds: float, calls: int) -> None:
        for _ in range(calls):
            self.now += seconds / calls
            self.ticker.stand_in()


def _nothing() -> None:
    pass


def test_whoever_answers_calls_hands_the_lines_over_and_puts_the_ticker_off(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.pass_time(LOOK_S * 0.9, calls=2000)
    assert stage.clock.put_offs > LOOK_S / TICK_S  # it never gets to wake
    assert stage.clock.put_offs < 100  # a small part of the calls pay for it
    assert stage.line_flushes == pytest.approx(LOOK_S * 0.9 / TICK_S, abs=2)


def test_the_ticker_has_its_look_however_many_calls_come(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.pass_time(LOOK_S * 1.01, calls=2000)
    before = stage.clock.put_offs
    stage.pass_time(LOOK_S, calls=2000)
    assert stage.clock.put_offs == before


def test_nobody_puts_the_ticker_off_while_another_thread_is_in_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    call = Call(None, 1, HttpRequest(b"POST /score HTTP/1.1", ""), "r", 0.0)
    stage.watchdog.enter(stage.watchdog.turn(), call)
    stage.pass_time(LOOK_S * 0.9, calls=2000)
    assert stage.clock.put_offs == 0
    assert stage.line_flushes > 0


@pytest.mark.parametrize("has_timer", [True, False])
def test_an_alarm_clock_wakes_after_its_time(has_timer: bool) -> None:
    clock = AlarmClock(0.01)
    if not has_timer:
        clock._timer = None
    before = time.monotonic()
    clock.sleep()
    assert time.monotonic() - before >= 0.009


def test_a_sleep_that_is_put_off_begins_anew() -> None:
    clock = AlarmClock(0.4)
    if clock._timer is None:
        pytest.skip("this system has no timer that can be put off")
    order: list[str] = []

    def sleep() -> None:
        clock.sleep()
        order.append("woke")

    sleeper = threading.Thread(target=sleep, daemon=True)
    sleeper.start()
    for _ in range(30):
        time.sleep(0.02)
        clock.put_off()
        order.append("put off")
    sleeper.join(30)
    assert order == ["put off"] * 30 + ["woke"]
