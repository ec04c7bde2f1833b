"""What stands about a thread whose run() was interrupted at the last moment."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.scoring.call import Call
from endpoints.scoring.http.request import HttpRequest
from endpoints.scoring.watchdog import Turn, Watchdog


class InterruptedLock:
    """An interruption reaches the thread while it waits for the lock."""

    def __enter__(self) -> None:
        raise TimeoutError

    def __exit__(self, *_: object) -> None:
        pass


def test_an_interruption_on_the_way_out_of_run_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog(timeout_ms=0, stuck_after_ms=1, worker_timeout_s=1)
    expired: list[Any] = []
    watchdog.on_expired = expired.append
    turn = watchdog.turn()
    turn.is_main = False
    call = Call(None, 1, HttpRequest(b"POST /score HTTP/1.1", ""), "late", 0.0)
    watchdog.enter(turn, call)
    assert watchdog.is_busy
    monkeypatch.setattr(watchdog, "_lock", InterruptedLock())
    with pytest.raises(TimeoutError):
        watchdog.leave(turn, call)
    call.entered_at -= 100
    watchdog.check()
    assert (watchdog.is_busy, expired, call.is_reported) == (False, [], False)


def test_a_thread_has_one_turn() -> None:
    watchdog = Watchdog(timeout_ms=0, stuck_after_ms=0, worker_timeout_s=0)
    assert watchdog.turn() is watchdog.turn()
    assert isinstance(watchdog.turn(), Turn) and watchdog.turn().is_main
