"""An engine's pulse: felt by one for all, trusted for a moment, and left in peace after it was missed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from endpoints.backends.base import Temporary
from endpoints.backends.docker_engine import Pulse


class Engine:
    """Counts its pings, and answers while it `is_well`."""

    def __init__(self) -> None:
        self.pings, self.is_well, self.now = 0, True, 0.0

    def ping(self) -> None:
        self.pings += 1
        if not self.is_well:
            raise requests.exceptions.ReadTimeout("Read timed out. (read timeout=2)")

    @property
    def pulse(self) -> Pulse:
        return Pulse(self.ping, now=lambda: self.now)


def test_an_engine_that_answered_a_moment_ago_is_not_asked_again():
    engine = Engine()
    pulse = engine.pulse
    for engine.now in (0.0, 0.5, 2.0):
        pulse.require()
    assert engine.pings == 2


def test_an_engine_that_hangs_is_asked_once_in_a_while_and_refused_at_once_between():
    engine = Engine()
    pulse, engine.is_well = engine.pulse, False
    for engine.now in (0.0, 1.0, 4.9, 5.1):
        with pytest.raises(Temporary, match="does not answer"):
            pulse.require()
    assert engine.pings == 2


def test_an_engine_that_is_back_is_used_again():
    engine = Engine()
    pulse, engine.is_well = engine.pulse, False
    with pytest.raises(Temporary):
        pulse.require()
    engine.is_well, engine.now = True, 6.0
    pulse.require()


def test_many_who_wait_for_one_hanging_engine_wait_for_one_ping():
    begun, is_over, pings = threading.Event(), threading.Event(), []

    def ping() -> None:
        pings.append(1)
        begun.set()
        is_over.wait(10)
        raise requests.exceptions.ReadTimeout("Read timed out.")

    pulse = Pulse(ping)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(pulse.require) for _ in range(8)]
        begun.wait(10)
        is_over.set()
        assert all(isinstance(each.exception(), Temporary) for each in waiting)
    assert len(pings) == 1
