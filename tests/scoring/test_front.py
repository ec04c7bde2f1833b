"""The front and its workers: each may die, be slow or be busy, and the other goes on."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.scoring.conftest import Reply, Running, Start

SCRIPT = """
    import ctypes, hashlib, json, os, time
    def init():
        print("init in", os.getpid())
    def run(raw):
        if len(raw) > 1000:
            return hashlib.sha256(raw.encode()).hexdigest()
        wanted = json.loads(raw)
        if wanted == "hold":
            while not os.path.exists("gate"): ctypes.PyDLL(None).usleep(10_000)
        if wanted == "keep":
            ctypes.PyDLL(None).usleep(8_000_000)
        if wanted == "wait":
            open("begun", "w").close()
            while not os.path.exists("gate"): time.sleep(0.01)
        if wanted == "die":
            os._exit(3)
        return os.getpid()
"""


def child(running: Running, name: str) -> psutil.Process:
    """The only one of that name."""
    (found,) = [each for each in psutil.Process(running.process.pid).children(recursive=True) if each.name() == name]
    return found


def begin_waiting(running: Running) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("POST", "/score", '"wait"')
    running.wait_until(lambda: (running.folder / "begun").exists())
    return connection


def test_health_answers_while_run_holds_the_interpreter(start: Start) -> None:
    running = start(SCRIPT)
    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(running.score, "hold")
        assert running.request("GET", "/").body == b"Healthy"
        assert running.request("GET", "/swagger.json").status == 200
        assert not holding.done()
        (running.folder / "gate").touch()
        assert holding.result().status == 200


def test_a_lock_that_is_kept_is_unhealthy_says_where_and_ends(start: Start) -> None:
    running = start(SCRIPT)
    worker = child(running, "slipway-worker").pid
    seen: list[Reply] = []

    def is_unhealthy() -> bool:
        seen.append(running.request("GET", "/"))
        return seen[-1].status == 503

    with ThreadPoolExecutor(1) as pool:
        keeping = pool.submit(running.score, "keep")
        running.wait_until(is_unhealthy)
        assert seen[-1].message.startswith(f"Worker {worker} has not been heard of for ")
        running.wait_until(lambda: any("score.py" in message and "in run" in message for message in running.messages()))
        assert keeping.result().status == 200
    running.wait_until(lambda: running.request("GET", "/").body == b"Healthy")


def test_a_worker_killed_in_a_call_leaves_no_answer_and_is_replaced(start: Start) -> None:
    running = start(SCRIPT)
    waiting = begin_waiting(running)
    child(running, "slipway-worker").kill()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        waiting.getresponse()
    running.wait_until(lambda: sum("ready for serving" in message for message in running.messages()) == 2)
    assert running.score(1).status == 200
    assert running.status["restarts"] == 1


def test_a_killed_front_is_replaced_and_the_worker_keeps_its_model(start: Start) -> None:
    running = start(SCRIPT)
    waiting = begin_waiting(running)
    worker = running.folder / "worker"
    worker.write_text(str(child(running, "slipway-worker").pid))
    child(running, "slipway-front").kill()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        waiting.getresponse()
    (running.folder / "gate").touch()
    assert running.score(1).body.decode() == worker.read_text()
    assert sum("init in" in message for message in running.messages()) == 1
    assert running.wait_for_message("The front was ended by SIGKILL")["level"] == "ERROR"
    assert running.stop() == 0


def test_neighbours_of_a_call_that_ends_its_worker_find_another(start: Start) -> None:
    running = start(SCRIPT, "--worker_count", "2")
    running.wait_until(lambda: sum("ready for serving" in message for message in running.messages()) == 2)
    with pytest.raises(OSError):
        running.score("die")
    assert [running.score(1).status for _ in range(5)] == [200] * 5


def test_a_hundred_megabytes_pass_through_and_do_not_stay_in_the_front(start: Start) -> None:
    running = start(SCRIPT)
    body = b"x" * 100_000_000
    reply = running.request(body=body, content_type="text/plain")
    assert reply.json == hashlib.sha256(body).hexdigest()
    running.wait_until(lambda: child(running, "slipway-front").memory_info().rss < 60_000_000)


def test_a_slow_sender_of_a_large_body_holds_up_nobody(start: Start) -> None:
    running = start(SCRIPT)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as slow:
        slow.sendall(b"POST /score HTTP/1.1\r\nContent-Length: 400000\r\n\r\n" + b"x" * 300_000)
        assert [running.score(1).status for _ in range(3)] == [200] * 3
        slow.sendall(b"x" * 100_000)
        assert hashlib.sha256(b"x" * 400_000).hexdigest().encode() in slow.recv(65536)


STREAM = """
    import time
    def init(): pass
    {}def run(raw):
        made = 0
        try:
            while True:
                made += 1
                with open("made", "w") as file: file.write(str(made))
                yield "x" * 100_000
        finally:
            open("closed", "w").close()
"""


@pytest.mark.parametrize("kind", ["", "async "])
def test_a_stream_waits_for_its_reader_and_ends_when_the_reader_goes(start: Start, kind: str) -> None:
    running = start(STREAM.format(kind))
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as reader:
        reader.sendall(b"POST /score HTTP/1.1\r\nContent-Length: 1\r\n\r\n1")
        assert reader.recv(10)
        made = running.folder / "made"
        seen = ""
        while not seen or seen != made.read_text():  # until nothing more is made
            seen = made.read_text()
            time.sleep(0.3)
        assert int(seen) * 100_000 < 30_000_000
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    running.wait_until(lambda: (running.folder / "closed").exists())
    assert running.request("GET", "/").status == 200


def test_a_stranger_at_the_rendezvous_is_sent_away(start: Start) -> None:
    running = start(SCRIPT)
    names = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if " 00010000 " in line]
    own = {str(each.laddr) for each in psutil.Process(running.process.pid).net_connections("unix") if each.laddr}
    addresses = [name for name in names if name in own and name.startswith("@")]
    assert addresses
    for address in addresses:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(20)
            stranger.connect("\0" + address[1:])
            stranger.sendall(b"?" * 64)
            with contextlib.suppress(ConnectionResetError):
                assert stranger.recv(100) == b""
    assert running.score(1).status == 200


def test_what_the_front_answers_itself_is_logged_in_the_users_way_too(start: Start, tmp_path: Path) -> None:
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
    running.request("GET", "/swagger.json")
    assert running.wait_for_message("OWN GET /swagger.json 200")["logger"] == "stdout"


def test_forked_children_of_the_script_do_not_hide_its_death(start: Start) -> None:
    script = """
        import os, time
        def init(): pass
        def run(raw):
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            os._exit(1)
    """
    running = start(script)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):  # and not a timeout
        running.score(1)
