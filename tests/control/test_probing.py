"""Probes over real sockets on loopback."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from endpoints.control.probing import Target, ask_all


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128


@contextmanager
def server(answer: bytes, *, hold: threading.Event | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Answers every connection with `answer`; with `hold` only after it is set. Gives its port and what it was sent."""
    heard: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            heard.append(self.request.recv(65536))
            if hold:
                hold.wait(10)
            self.request.sendall(answer)

    with Server(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield listening.server_address[1], heard
        if hold:
            hold.set()
        listening.shutdown()
        thread.join()


def ask(port: int, *, path: str = "/", timeout_s: float = 5):
    return ask_all({"it": Target("127.0.0.1", port, path, timeout_s)})["it"]


@pytest.mark.parametrize(("status", "is_ok"), [(200, True), (302, True), (404, False), (500, False), (503, False)])
def test_from_200_to_399_is_well(status, is_ok):
    with server(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()) as (port, _):
        answer = ask(port)
    assert (answer.is_ok, answer.detail) == (is_ok, f"HTTP status {status}")


def test_the_path_is_asked_for():
    with server(b"HTTP/1.1 200 OK\r\n\r\n") as (port, heard):
        ask(port, path="/health/ready")
    assert heard[0].startswith(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_closed_port_is_refused():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert ask(port).detail == "connection refused"


def test_a_server_that_says_nothing_runs_out_of_time():
    with server(b"", hold=threading.Event()) as (port, _):
        assert ask(port, timeout_s=0.05).detail == "no answer within 0.05 s"


@pytest.mark.parametrize("answer", [b"", b"not http\r\n", b"x" * 100_000])
def test_what_is_not_http_is_not_well(answer):
    with server(answer) as (port, _):
        assert not ask(port).is_ok


def test_slow_ones_do_not_hold_up_the_others():
    hold = threading.Event()
    with server(b"", hold=hold) as (slow, _), server(b"HTTP/1.0 200 OK\r\n\r\n") as (quick, _):
        asked = [Target("127.0.0.1", quick, "/", 30), Target("127.0.0.1", slow, "/", 0.05)]
        targets = {n: asked[n % 2] for n in range(40)}
        answers = ask_all(targets)
    assert [answers[n].is_ok for n in range(40)] == [n % 2 == 0 for n in range(40)]


def test_nothing_to_ask_is_no_work():
    assert ask_all({}) == {}
