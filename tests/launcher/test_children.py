"""A child process: started, restarted with back-off, stopped."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from studio.launcher.children import Child, describe_exit


@pytest.fixture
def child(tmp_path: Path):
    made = Child(
        name="thing",
        command=[sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"],
        environment={"PATH": "/usr/bin:/bin"},
        log=tmp_path / "logs" / "thing.log",
        is_ready=lambda: True,
        stop_within_s=5,
    )
    yield made
    made.request_stop()
    made.wait_stopped()


def wait_for_output(child: Child) -> None:
    while "started" not in child.last_lines():
        time.sleep(0.01)


def test_its_output_goes_to_its_log(child):
    child.start()
    wait_for_output(child)
    assert child.is_alive
    assert child.last_lines() == "started"


def test_a_child_that_died_is_started_again_after_a_pause_and_says_so(child):
    child.start()
    assert child.process is not None
    child.process.kill()
    child.process.wait()
    told = child.look_after(now=100.0)
    assert told is not None and "thing ended (killed by SIGKILL)" in told and "0.5 s" in told
    assert child.look_after(now=100.4) is None and not child.is_alive
    assert child.look_after(now=100.6) is None and child.is_alive


def test_each_further_death_waits_longer(child):
    child.failures = 3
    told = child.look_after(now=1.0)
    assert told is not None and "in 5 s" in told


def test_stopping_ends_it(child):
    child.start()
    wait_for_output(child)
    child.request_stop()
    child.wait_stopped()
    assert not child.is_alive


@pytest.mark.parametrize(("code", "words"), [(None, "never started"), (-9, "killed by SIGKILL"), (3, "exit code 3")])
def test_an_exit_is_put_in_words(code, words):
    assert describe_exit(code) == words
