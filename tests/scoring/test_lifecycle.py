"""Starting, stopping, crashing: what the supervisor and the status file do."""

from __future__ import annotations

import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import need
from tests.scoring.conftest import Reply, Start

SCRIPT = """
    import json, os, threading, time

    def init():
        print("init in", os.getpid())

    def run(raw):
        wanted = json.loads(raw)
        if wanted == "die":
            print("dying")
            os._exit(7)
        if isinstance(wanted, float):
            print("sleeping")
            time.sleep(wanted)
        return [wanted, os.getpid(), threading.current_thread() is threading.main_thread()]
"""
PYTHONS = [Path(f"/root/.pyenv/versions/{name}/bin/python") for name in ("3.8.18", "3.9.18", "3.12.1", "3.13.0")]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_nothing_listens_until_init_is_done(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import os, time\n    while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    running = start(f"def init():\n    {wait}\ndef run(raw): return 1\n", wait=False)
    running.wait_until(lambda: running.status.get("port"))
    assert (running.status["phase"], running.status["ready_at"]) == ("starting", None)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port))
    gate.touch()
    assert running.wait_for_phase("running")["ready_at"]
    assert running.request("GET", "/").body == b"Healthy"


def test_a_stop_finishes_what_is_in_flight_and_refuses_the_rest(start: Start) -> None:
    running = start(SCRIPT)
    replies: list[Reply] = []
    caller = threading.Thread(target=lambda: replies.append(running.score(0.8)))
    caller.start()
    running.wait_for_message("sleeping")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for_phase("stopping")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", running.port))
    caller.join(20)
    assert replies[0].json[0] == 0.8
    assert replies[0].headers["connection"] == "close"
    assert running.process.wait(20) == 0
    assert (running.status["phase"], running.status["exit_code"]) == ("exited", 0)
    assert any(message.startswith("POST /score 200") for message in running.messages())


def test_a_call_that_does_not_end_is_cut_off_after_the_grace(start: Start) -> None:
    running = start(SCRIPT, "--graceful-timeout", "0.3")
    with ThreadPoolExecutor(1) as pool:
        cut_off = pool.submit(running.score, 60.0)
        running.wait_for_message("sleeping")
        assert running.stop() == 0
        with pytest.raises(OSError):
            cut_off.result()
    assert any("did not finish within" in message for message in running.messages())


def test_an_idle_connection_does_not_hold_up_a_stop(start: Start) -> None:
    running = start(SCRIPT)
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"Healthy" in client.recv(4096)
        assert running.stop() == 0
        assert client.recv(100) == b""


def test_a_crashed_worker_is_replaced_and_its_log_is_kept(start: Start) -> None:
    running = start(SCRIPT)
    first = running.score(1).json[1]
    with pytest.raises(OSError):
        running.score("die", x_request_id="fatal")
    running.wait_until(lambda: sum("ready for serving" in message for message in running.messages()) == 2)
    assert running.score(1).json[1] != first
    assert (running.status["restarts"], running.status["phase"]) == (1, "running")
    assert running.wait_for_message("dying")["request_id"] == "fatal"
    assert running.wait_for_message("ended with exit code 7")["level"] == "ERROR"


def test_a_connection_is_refused_while_no_worker_is_there(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    script = f"""
        import os, time
        def init():
            while os.path.exists({str(gate)!r}): time.sleep(0.01)
        def run(raw):
            os._exit(1)
    """
    running = start(script)
    gate.touch()
    with pytest.raises(OSError):
        running.score(1)
    running.wait_until(lambda: running.status["restarts"] == 1)
    with pytest.raises(ConnectionRefusedError):
        running.score(1)
    gate.unlink()
    running.wait_until(lambda: sum("ready for serving" in message for message in running.messages()) == 2)
    assert running.request("GET", "/").status == 200


def test_workers_die_with_a_killed_supervisor(start: Start) -> None:
    running = start(SCRIPT, "--worker_count", "2")
    worker = running.score(1).json[1]
    assert is_alive(worker)
    running.process.kill()
    running.process.wait(20)
    running.wait_until(lambda: not is_alive(worker))


def test_each_worker_calls_init_unless_it_is_preloaded(start: Start) -> None:
    running = start(SCRIPT, "--worker_count", "2")
    running.wait_until(lambda: sum("init in" in message for message in running.messages()) == 2)
    shared = start(SCRIPT, "--worker_count", "2", WORKER_PRELOAD="true")
    shared.wait_until(lambda: sum("ready for serving" in message for message in shared.messages()) == 2)
    assert sum("init in" in message for message in shared.messages()) == 1
    with pytest.raises(OSError):
        shared.score("die")
    shared.wait_until(lambda: sum("ready for serving" in message for message in shared.messages()) == 3)
    assert shared.wait_for_message("dying")
    assert shared.status["restarts"] == 1
    assert shared.stop() == 0


def test_a_script_that_awaits_is_loaded_by_each_preloaded_worker(start: Start) -> None:
    script = "import os\nasync def init(): print('init in', os.getpid())\nasync def run(raw): return raw"
    running = start(script, "--worker_count", "2", WORKER_PRELOAD="true")
    running.wait_until(lambda: sum("init in" in message for message in running.messages()) == 2)
    assert running.score(1).json == "1"


def test_run_is_called_in_the_main_thread(start: Start) -> None:
    running = start(SCRIPT)
    assert [running.score(value).json[2] for value in (1, 0.05, 2)] == [True, True, True]


def test_bad_usage_ends_with_code_1(start: Start) -> None:
    assert start(SCRIPT, "--nonsense", wait=False).process.wait(20) == 1


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_it_runs_on_other_pythons(start: Start, python: Path) -> None:
    need("pythons", python.exists(), f"{python} is not installed")
    running = start(SCRIPT, python=str(python))
    assert running.score({"a": 1}).json[0] == {"a": 1}
    with pytest.raises(OSError):
        running.score("die")
    running.wait_until(lambda: sum("ready for serving" in message for message in running.messages()) == 2)
    assert running.score(0.02).json[0] == 0.02
    assert running.stop() == 0


def test_the_status_file_is_always_whole(start: Start) -> None:
    running = start(SCRIPT)
    assert json.loads((running.folder / "status.json").read_text())["pid"] == running.process.pid
    assert list(running.folder.glob("status.json.*")) == []
