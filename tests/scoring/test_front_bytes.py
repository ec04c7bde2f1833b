"""Raw bytes at the front, from clients on one side and a worker on the other, turn by turn in this process."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpoints.scoring import wire
from endpoints.scoring.front.clients import Clients
from endpoints.scoring.front.front import Front
from endpoints.scoring.front.links import Links
from endpoints.scoring.front.poller import Poller
from endpoints.scoring.front.request_log import RequestLog
from endpoints.scoring.front.roster import Roster
from endpoints.scoring.front.routes import Routes
from endpoints.scoring.ledger import Ledger
from endpoints.scoring.logs import RecordPipe
from endpoints.scoring.rendezvous import open_rendezvous
from endpoints.scoring.settings import load
from endpoints.scoring.wire import FrameReader, Offer

BLOCK = b"Content-Type: application/json\r\n"
OFFER = Offer(wire.PLAIN, 1, False, 50, False, {})
CALL = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"


class Desk:
    """A front with one worker who answers each call with its own body; "slow" waits until it is released."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._rendezvous = open_rendezvous()
        poller = Poller()
        self.clients = Clients(poller, [self._listener])
        links = Links(poller, self._rendezvous)
        roster = Roster()
        (self._records, write), (wake, self._wake) = os.pipe(), os.pipe()
        records = RecordPipe(write, Ledger())
        routes = Routes(load(["--entry_script", "score.py"], {}), RequestLog(records, links), roster.silences)
        self.front = Front(
            poller,
            self.clients,
            links,
            roster,
            routes,
            flush=records.flush,
            wake=wake,
            is_busy_polling=False,
        )
        self.asked: list[bytes] = []
        self._kept: list[int] = []
        self._reader = FrameReader()
        self.worker = self._rendezvous.join()
        self.worker.setblocking(False)
        self.worker.sendall(wire.encode(wire.HELLO, os.getpid(), 0, tuple(OFFER)))
        self.turns(5)

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.front.turn(0.0)
            self._work()

    def _work(self) -> None:
        try:
            self._reader.feed(self.worker.recv(1 << 20))
        except BlockingIOError:
            return
        while (frame := self._reader.next()) is not None:
            for number, *_, body in frame[3] if frame[0] == wire.CALLS else []:
                self.asked.append(body)
                if body == b"slow":
                    self._kept.append(number)
                else:
                    self.answer(number, body)

    def answer(self, number: int, body: bytes) -> None:
        self.worker.sendall(wire.encode(wire.ANSWERS, [(number, 200, BLOCK, body, 0.0, False)]))

    def release(self) -> None:
        while self._kept:
            self.answer(self._kept.pop(), b"slow")
        self.turns(3)

    def connect(self) -> socket.socket:
        client = socket.create_connection(self._listener.getsockname())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.turns(2)
        client.setblocking(False)
        return client

    def say(self, client: socket.socket, *packets: bytes) -> bytes:
        """What comes back after each packet was read by itself."""
        answer = b""
        for packet in packets:
            client.sendall(packet)
            self.turns(3)
            answer += take(client)
        for _ in range(20):
            self.turns(2)
            answer += take(client)
        return answer

    def close(self) -> None:
        self.clients.close_all()
        for one in (self.worker, self._listener, self._rendezvous.listener):
            one.close()
        for descriptor in (self._records, self._wake):
            os.close(descriptor)


def take(client: socket.socket) -> bytes:
    data = b""
    while True:
        try:
            piece = client.recv(1 << 16)
        except BlockingIOError:
            return data
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def steady(answer: bytes) -> bytes:
    """Without what differs from one time to the next."""
    return re.sub(rb"(?i)(date|x-ms-request-id|x-request-id): [^\r]*\r\n", b"", answer)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def test_a_call_comes_back_with_its_answer(desk: Desk) -> None:
    answer = desk.say(desk.connect(), CALL)
    assert (statuses(answer), desk.asked) == ([200], [b"abc"])
    assert answer.endswith(b"\r\n\r\nabc")


def test_pipelined_requests_are_answered_in_order_though_one_is_slow(desk: Desk) -> None:
    client = desk.connect()
    slow = CALL.replace(b"3\r\n\r\nabc", b"4\r\n\r\nslow")
    assert desk.say(client, slow + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + CALL) == b""
    desk.release()
    answer = desk.say(client, b"")
    assert statuses(answer) == [200, 200, 200]
    places = [answer.index(text) for text in (b"\r\n\r\nslow", b"Healthy", b"\r\n\r\nabc")]
    assert places == sorted(places)


def test_one_that_waits_for_permission_gets_it(desk: Desk) -> None:
    client = desk.connect()
    head = CALL[:-3].replace(b"Host: x", b"Expect: 100-continue")
    assert desk.say(client, head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert desk.say(client, b"abc").endswith(b"\r\n\r\nabc")


def test_a_client_may_close_its_half_and_leave_without_its_answer(desk: Desk) -> None:
    client = desk.connect()
    desk.say(client, CALL.replace(b"3\r\n\r\nabc", b"4\r\n\r\nslow"))
    client.close()
    desk.turns(3)
    desk.release()
    assert desk.say(desk.connect(), CALL).endswith(b"abc")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /score HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (b"POST /score HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
    ],
)
def test_what_is_no_request_is_refused_once_and_the_connection_ends(desk: Desk, data: bytes, status: int) -> None:
    client = desk.connect()
    assert statuses(desk.say(client, data)) == [status]
    assert statuses(desk.say(client, CALL)) == []
    assert desk.asked == []


requests = st.sampled_from(
    [
        CALL,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /score HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
        b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        b"POST /score HTTP/1.1\r\nx-ms-client-request-id: mine\r\nContent-Length: 0\r\n\r\n",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(requests, min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=8))
def test_any_split_of_valid_requests_into_packets_gives_the_same(
    desk: Desk, sent: list[bytes], places: list[int]
) -> None:
    stream = b"".join(sent)
    cuts = sorted({min(place, len(stream)) for place in places})
    packets = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = desk.say(desk.connect(), stream)
    assert len(statuses(whole)) == len(sent)
    assert steady(desk.say(desk.connect(), *packets)) == steady(whole)
