"""Several things at once: health beside a busy run(), threads, awaited and streamed answers, batches, time limits."""

from __future__ import annotations

import http.client
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.scoring.conftest import Running, Start

MEETING = """
    import threading, time
    barrier = threading.Barrier(3)

    def init():
        pass

    def run(raw):
        if raw == '"meet"':
            time.sleep(0.02)  # short calls are sent ahead to one thread, one after the other
            barrier.wait(10)
        return threading.current_thread().name
"""


def test_health_answers_while_run_is_busy(start: Start, tmp_path: object) -> None:
    running = start(
        "import os, time\ndef init(): pass\ndef run(raw):\n    while not os.path.exists('gate'): time.sleep(0.01)\n"
    )
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(running.score, 1)
        for _ in range(3):
            assert running.request("GET", "/").body == b"Healthy"
        assert not busy.done()
        (running.folder / "gate").touch()
        assert busy.result().status == 200
    assert running.score(2).status == 200


def test_calls_that_wait_are_answered_in_order(start: Start) -> None:
    script = (
        "import time\nseen = []\ndef init(): pass\ndef run(raw):\n    seen.append(raw); time.sleep(0.05); return seen"
    )
    running = start(script)
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(running.score, range(4)))
    assert sorted(len(reply.json) for reply in replies) == [1, 2, 3, 4]


def test_as_many_calls_as_allowed_go_on_at_once(start: Start) -> None:
    running = start(MEETING, "--max-concurrent", "3")
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            names = {reply.json for reply in pool.map(running.score, ["meet"] * 3)}
        assert len(names) == 3
    assert running.score("alone").status == 200


def test_many_clients_of_short_and_long_calls_all_get_their_own_answer(start: Start) -> None:
    script = """
        import json, time
        def init(): pass
        def run(raw):
            time.sleep((json.loads(raw) % 7) / 500)
            return json.loads(raw)
    """
    running = start(script, "--max-concurrent", "2")

    def client(first: int) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        answers = []
        for number in range(first, first + 25):
            connection.request("POST", "/score", str(number), {"Content-Type": "application/json"})
            answers.append(json.loads(connection.getresponse().read()))
        connection.close()
        return answers

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client, range(0, 8000, 1000)))
    assert answers == [list(range(first, first + 25)) for first in range(0, 8000, 1000)]
    assert running.status["restarts"] == 0


def test_async_functions_are_awaited_side_by_side(start: Start) -> None:
    script = """
        import asyncio
        async def init():
            global event
            event = asyncio.Event()
        async def run(raw):
            if raw == '"set"':
                event.set()
            await event.wait()
            return raw
    """
    running = start(script, "--max-concurrent", "2")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(running.score, "wait")
        running.wait_until(lambda: running.request("GET", "/").status == 200)
        assert running.score("set").json == '"set"'
        assert waiting.result().json == '"wait"'
    assert running.stop() == 0


def test_errors_and_time_limits_of_async_functions(start: Start) -> None:
    script = "import asyncio\ndef init(): pass\nasync def run(raw):\n    await asyncio.sleep(5)\n    return 1"
    running = start(script, SCORING_TIMEOUT_MS="50")
    reply = running.score()
    assert (reply.status, reply.message) == (500, "Scoring timeout after 50 ms")
    other = start("def init(): pass\nasync def run(raw): return 1 / 0")
    assert other.score().status == 500
    assert other.score().headers["x-ms-run-function-failed"] == "True"


def first_piece(running: Running, **headers: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("POST", "/score", b"1", {"Content-Type": "application/json", **headers})
    return connection, connection.getresponse()


GATED = """
    import os, time
    def wait():
        while not os.path.exists("gate"): time.sleep(0.01)
    def init():
        pass
"""


@pytest.mark.parametrize(
    "run",
    [
        "def run(raw):\n        yield {'n': 1}\n        wait()\n        yield {'n': 2}\n",
        "async def run(raw):\n        yield {'n': 1}\n        wait()\n        yield {'n': 2}\n",
    ],
)
def test_a_generator_is_streamed_piece_by_piece(start: Start, run: str) -> None:
    running = start(GATED + "\n    " + run)
    connection, response = first_piece(running)
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.readline() == b'{"n": 1}\n'
    (running.folder / "gate").touch()
    assert response.read() == b'{"n": 2}\n'
    connection.close()
    _, events = first_piece(running, Accept="text/event-stream")
    assert events.headers["Content-Type"] == "text/event-stream"
    assert events.read() == b'data: {"n": 1}\n\ndata: {"n": 2}\n\n'
    assert running.wait_for_message("POST /score 200")["message"].endswith("ms N/A")


def test_text_of_a_generator_is_sent_as_it_is(start: Start) -> None:
    running = start("def init(): pass\ndef run(raw):\n    yield 'event: a\\ndata: 1\\n\\n'\n    yield b'data: 2\\n\\n'")
    reply = running.score()
    assert (reply.headers["content-type"], reply.body) == (
        "text/event-stream",
        b"event: a\ndata: 1\n\ndata: 2\n\n",
    )


def test_a_generator_that_fails_at_once_is_an_error_and_later_a_cut_body(start: Start) -> None:
    script = """
        def init(): pass
        def run(raw):
            if raw == '1': raise ValueError
            yield 'a'
            raise ValueError
    """
    running = start(script)
    assert running.score(1).status == 500
    with pytest.raises(http.client.IncompleteRead):
        running.score(2)
    assert running.request("GET", "/").status == 200


def test_a_client_of_http_1_0_gets_a_stream_without_chunks(start: Start) -> None:
    running = start("def init(): pass\ndef run(raw):\n    yield 'a'\n    yield 'b'")
    head, _, body = running.raw(b"POST /score HTTP/1.0\r\nContent-Length: 0\r\n\r\n").partition(b"\r\n\r\n")
    assert body == b"ab"
    assert b"chunked" not in head


@pytest.mark.parametrize("concurrent", ["1", "2"])
def test_run_is_ended_at_its_time_limit(start: Start, concurrent: str) -> None:
    script = """
        import time
        def init(): pass
        def run(raw):
            if raw == "1":
                try:
                    while True: time.sleep(0.001)
                except TimeoutError:
                    return "caught"
            while raw == "2": time.sleep(0.001)
            return "quick"
    """
    running = start(script, "--max-concurrent", concurrent, SCORING_TIMEOUT_MS="100")
    reply = running.score(2)
    assert (reply.status, reply.message) == (500, "Scoring timeout after 100 ms")
    assert reply.headers["x-ms-run-function-failed"] == "True"
    assert running.score(1).json == "caught"
    assert [running.score(3).json for _ in range(20)] == ["quick"] * 20


def test_a_sleeping_run_is_woken_at_its_time_limit(start: Start) -> None:
    running = start("import time\ndef init(): pass\ndef run(raw): time.sleep(15)", SCORING_TIMEOUT_MS="50")
    assert running.score().message == "Scoring timeout after 50 ms"


def test_a_stuck_run_is_reported_with_its_stack(start: Start) -> None:
    script = """
        import os, time
        def init(): pass
        def run(raw): deep()
        def deep():
            while not os.path.exists('gate'): time.sleep(0.01)
    """
    running = start(script, SLIPWAY_STUCK_AFTER_MS="50")
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(running.score, x_request_id="stuck-one")
        report = running.wait_for_message("run() has been busy")
        (running.folder / "gate").touch()
        assert stuck.result().status == 200
    assert "stuck-one" in report["message"]
    assert re.search(r"score\.py\", line \d, in deep", report["message"])


def test_a_worker_that_exceeds_its_time_limit_is_replaced(start: Start) -> None:
    script = "import time\ndef init(): pass\ndef run(raw):\n    while raw == '1': time.sleep(0.01)"
    running = start(script, WORKER_TIMEOUT="1")
    reply = running.score(1, x_request_id="endless")
    assert (reply.status, reply.headers["content-type"]) == (500, "text/html")
    assert "endless" in running.wait_for_message("Its stack now")["message"]
    running.wait_until(lambda: sum("ready for serving" in message for message in running.messages()) == 2)
    assert running.score(2).status == 200
    assert running.status["restarts"] == 1


BATCH = """
    import json
    sizes = []
    def init(): pass
    def run(raw):
        return "alone " + raw
    def run_batch(inputs):
        sizes.append(len(inputs))
        if '"all fail"' in inputs: raise ValueError("no")
        return [ValueError(text) if text == '"bad"' else [text, sizes[-1]] for text in inputs]
"""


def test_waiting_calls_are_answered_in_one_batch(start: Start) -> None:
    running = start(BATCH, SLIPWAY_BATCH_MAX_SIZE="4", SLIPWAY_BATCH_MAX_WAIT_MS="2000")
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(running.score, ["a", "b", "c", "bad"]))
    assert [reply.status for reply in replies] == [200, 200, 200, 500]
    assert [reply.json for reply in replies[:3]] == [['"a"', 4], ['"b"', 4], ['"c"', 4]]


def test_a_failing_batch_is_answered_one_by_one(start: Start) -> None:
    running = start(BATCH, SLIPWAY_BATCH_MAX_SIZE="2", SLIPWAY_BATCH_MAX_WAIT_MS="2000")
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(running.score, ["a", "all fail"]))
    assert [reply.json for reply in replies] == ['alone "a"', 'alone "all fail"']


def test_without_the_setting_run_batch_is_not_called(start: Start) -> None:
    assert start(BATCH).score("a").json == 'alone "a"'


def test_a_client_that_reads_slowly_gets_everything_and_holds_up_nobody(start: Start) -> None:
    running = start("def init(): pass\ndef run(raw): return 'x' * 5_000_000 if raw == '1' else 2")
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as slow:
        slow.sendall(b"POST /score HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1")
        slow.recv(10)
        assert [running.score(2).json for _ in range(3)] == [2, 2, 2]
        received = 10
        while piece := slow.recv(1 << 20):
            received += len(piece)
    assert received > 5_000_000
