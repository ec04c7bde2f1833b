"""An endpoint's bandwidth: beyond it bytes wait, by pauses of the two senders, and the caller learns for how long."""

from __future__ import annotations

import msgspec
import pytest

from endpoints.gateway.accesslog import AccessLog
from endpoints.gateway.bandwidth import Bandwidth
from endpoints.gateway.board import Board
from tests.gateway.rig import OK, Client, Rig, deployment, endpoint, request, status_of

LIMIT = 10_000
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, b"x" * size)


@pytest.fixture
def limited(rig: Rig) -> Rig:
    rig.publish(endpoint(bytes_per_second=LIMIT))
    return rig


def ask(rig: Rig, body: bytes = b"{}") -> Client:
    client = rig.client()
    client.send(request(body))
    return client


def test_within_the_limit_nothing_waits(limited: Rig) -> None:
    client = ask(limited, b"x" * 5000)
    limited.asked().answer()
    assert status_of(client.got()) == 200


def test_a_request_beyond_the_limit_is_late_and_not_refused(limited: Rig) -> None:
    client = ask(limited, b"x" * 15_000)
    assert not limited.dialled
    assert client.transport.is_paused
    limited.advance(0.4)
    assert not limited.dialled
    limited.advance(0.2)
    limited.asked().answer()
    assert status_of(client.got()) == 200
    assert not client.transport.is_paused


def test_what_one_caller_used_makes_the_next_one_wait(limited: Rig) -> None:
    ask(limited, b"x" * 9900)
    first = limited.asked()
    first.asked()
    first.answer()
    ask(limited, b"x" * 2000)
    assert not any(one.is_asked for one in limited.dialled)
    limited.advance(1.5)
    assert limited.asked()


def test_a_body_on_its_way_is_read_no_faster_than_the_limit(limited: Rig) -> None:
    client = limited.client()
    client.send(request(b"x" * 40_000)[:-38_000])
    assert limited.asked().asked().endswith(b"x" * 2000)
    client.send(b"x" * 20_000)
    assert client.transport.is_paused
    limited.advance(1.3)
    assert not client.transport.is_paused


def test_a_client_is_read_from_again_when_its_answer_came_first(limited: Rig) -> None:
    client = limited.client()
    client.send(request(b"x" * 40_000)[:-38_000])
    instance = limited.asked()
    client.send(b"x" * 20_000)
    instance.answer()
    assert status_of(client.got()) == 200
    assert not client.transport.is_paused


def test_a_stream_beyond_the_limit_pauses_its_instance_and_ends_with_the_delays(limited: Rig) -> None:
    client = ask(limited)
    instance = limited.asked()
    instance.answer(CHUNKED + chunk(15_000))
    assert instance.transport.is_paused
    assert b"x" * 15_000 in client.got()  # what has arrived is not kept back
    limited.advance(0.6)
    assert not instance.transport.is_paused
    instance.answer(b"0\r\n\r\n")
    expected = b"0\r\nms-azureml-bandwidth-request-delay-ms: 0\r\nms-azureml-bandwidth-response-delay-ms: 600\r\n\r\n"
    assert client.got() == expected


def test_a_stream_within_the_limit_ends_without_trailers(limited: Rig) -> None:
    client = ask(limited)
    limited.asked().answer(CHUNKED + chunk(10) + b"0\r\n\r\n")
    answer = client.got()
    assert b"\r\ntrailer: ms-azureml-bandwidth-request-delay-ms, " in answer
    assert answer.endswith(b"\r\n0\r\n\r\n")


def test_an_endpoint_without_a_limit_names_no_trailers(rig: Rig) -> None:
    rig.publish(endpoint())
    client = ask(rig)
    rig.asked().answer(CHUNKED + chunk(50_000) + b"0\r\n\r\n")
    assert b"trailer" not in client.got()


def test_a_client_that_reads_slowly_and_a_limit_both_must_let_go(limited: Rig) -> None:
    client = ask(limited)
    instance = limited.asked()
    instance.answer(CHUNKED + chunk(15_000))
    client.connection.pause_writing()
    limited.advance(0.6)
    assert instance.transport.is_paused
    client.connection.resume_writing()
    assert not instance.transport.is_paused


def test_a_slowed_stream_is_no_stalled_one(rig: Rig) -> None:
    rig.publish(endpoint(deployment(request_timeout_ms=1000), bytes_per_second=100))
    client = ask(rig)
    rig.asked().answer(CHUNKED + chunk(10_000))  # a wait of 99 s; streams stall after 60
    rig.advance(61)
    rig.advance(30)
    assert not client.transport.is_closed


def test_the_access_log_has_the_delays(limited: Rig) -> None:
    limited.plane.access_log = AccessLog(1, choose=lambda: 0.5)
    client = ask(limited, b"x" * 15_000)
    limited.advance(0.6)
    limited.asked().answer()
    assert status_of(client.got()) == 200
    [line] = limited.plane.access_log.take().splitlines()
    found = msgspec.json.decode(line)
    assert (found["RequestThrottlingDelayMs"], found["ResponseThrottlingDelayMs"]) == (600, 0)


def test_a_limit_lifted_meanwhile_holds_nobody(limited: Rig) -> None:
    client = ask(limited)
    instance = limited.asked()
    limited.publish(endpoint())
    instance.answer(CHUNKED + chunk(50_000))
    assert not instance.transport.is_paused
    instance.answer(b"0\r\n\r\n")
    assert client.got().endswith(b"\r\n0\r\n\r\n")


def test_the_limit_holds_over_all_processes() -> None:
    board = Board.create()
    for column in (1, 2):
        board.enlist(column)
    one, two = (Bandwidth(Board(board.fd, column), "sample", 100_000) for column in (1, 2))
    assert one.pass_on(90_000, 50.0) == 0
    assert two.pass_on(90_000, 50.1) == pytest.approx(0.8, abs=0.02)
    assert two.pass_on(1000, 52.5) == 0


def test_many_senders_together_keep_the_rate() -> None:
    limit = Bandwidth(Board.create(), "sample", 1_000_000)
    free_at = [100.0] * 20
    sent = 0
    while min(free_at) < 110:
        now = min(free_at)
        sender = free_at.index(now)
        free_at[sender] = now + limit.pass_on(65_536, now) + 0.001
        sent += 65_536
    assert sent == pytest.approx(10_000_000, rel=0.35)


def test_a_usual_answer_leaves_no_trace_of_bandwidth(rig: Rig) -> None:
    rig.publish(endpoint())
    client = ask(rig)
    rig.asked().answer(OK)
    assert b"bandwidth" not in client.got()
