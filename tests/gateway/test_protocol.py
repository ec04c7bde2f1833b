from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.rig import AUTH, OK, Rig, deployment, endpoint, error_of, header_of, request, status_of
from tests.gateway.test_parsing import SMUGGLING, cut


@pytest.fixture
def served(rig: Rig) -> Rig:
    rig.publish(endpoint())
    return rig


def test_a_request_is_forwarded_and_answered(served: Rig) -> None:
    client = served.client()
    client.send(request(b'{"data": 1}', headers=b"content-type: application/json\r\nx-request-id: mine\r\n"))
    instance = served.asked()
    asked = instance.asked()
    assert asked.startswith(b"POST /score HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n")
    assert asked.endswith(b'\r\n\r\n{"data": 1}')
    assert b"the-key" not in asked
    assert header_of(asked, "x-forwarded-for") == "10.0.0.9"
    instance.answer()
    answer = client.got()
    assert status_of(answer) == 200
    assert header_of(answer, "x-request-id") == header_of(asked, "x-request-id") != "mine"
    assert header_of(answer, "azureml-model-deployment") == "blue"
    assert answer.endswith(b"\r\n\r\n{}")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400),
    st.booleans(),
    st.lists(st.integers(0, 2000), max_size=10),
    st.sampled_from([b"", b"accept: */*\r\n", b"x-ms-client-request-id: abc\r\n", b"X-Long: " + b"v" * 300 + b"\r\n"]),
)
def test_a_valid_request_gives_the_same_however_it_is_cut(
    body: bytes, is_chunked: bool, places: list[int], extra: bytes
) -> None:
    if is_chunked:
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        raw = (
            b"POST /sample/score HTTP/1.1\r\nhost: g\r\n"
            + AUTH
            + extra
            + b"transfer-encoding: chunked\r\n\r\n"
            + framed
        )
    else:
        raw = request(body, headers=extra)
    assert _forwarded([raw]) == _forwarded(cut(raw, places))


def _forwarded(pieces: list[bytes]) -> tuple[bytes, bytes, bytes]:
    """Head (without the id) and body that reach the instance, and the answer's start."""
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), loop)
        rig.publish(endpoint())
        client = rig.client()
        client.send(*pieces)
        instance = rig.asked()
        head, _, body = instance.asked().partition(b"\r\n\r\n")
        instance.answer()
        answer = client.got()
    loop.close()
    if b"transfer-encoding: chunked" in head:
        body = _unchunk(body)
    return head.partition(b"\r\nx-request-id")[0], body, answer[:20]


def _unchunk(body: bytes) -> bytes:
    data = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            return data
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


@pytest.mark.parametrize("raw", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_ambiguous_bytes_reach_no_instance(served: Rig, raw: bytes) -> None:
    client = served.client()
    client.send(raw)
    assert header_of(client.got(), "connection") == "close"
    assert client.transport.has_eof
    assert not served.dialled


def test_pipelined_requests_are_answered_in_order(served: Rig) -> None:
    client = served.client()
    client.send(request(b"1") + request(b"22") + request(b"333"))
    for body in (b"1", b"22", b"333"):
        instance = served.asked()
        assert instance.asked().endswith(b"\r\n\r\n" + body)
        instance.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        served.settle()
    assert [part[:1] for part in client.got().split(b"\r\n\r\n")[1:]] == [b"1", b"2", b"3"]
    assert len(served.dialled) == 1


def test_a_thousand_pipelined_refusals_do_not_nest(served: Rig) -> None:
    client = served.client()
    client.send(b"GET /nobody/score HTTP/1.1\r\nhost: g\r\n\r\n" * 1000)
    for _ in range(400):
        served.settle()
    assert client.got().count(b"HTTP/1.1 404") == 1000


def test_expect_100_continue_is_answered_when_the_body_is_wanted(served: Rig) -> None:
    client = served.client()
    client.send(request(b"", headers=b"expect: 100-continue\r\n").replace(b"content-length: 0", b"content-length: 2"))
    assert client.got() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"{}")
    assert b"expect" not in served.asked().asked()


def test_expect_100_continue_is_not_invited_by_a_refusal(served: Rig) -> None:
    client = served.client()
    client.send(b"POST /sample/score HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    answer = client.got()
    assert status_of(answer) == 401
    assert header_of(answer, "connection") == "close"


def test_head_is_answered_without_a_body(served: Rig) -> None:
    client = served.client()
    client.send(request(b"", method="HEAD"), request(b"2"))
    instance = served.asked()
    assert instance.asked().startswith(b"HEAD /score")
    instance.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n")
    served.settle()
    assert header_of(client.got(), "content-length") == "77"
    assert instance.asked().endswith(b"\r\n\r\n2")


def test_a_chunked_answer_passes_unbuffered(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.answer(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    assert header_of(client.got(), "transfer-encoding") == "chunked"
    instance.answer(b"7\r\ndata: 1\r\n")
    assert client.got() == b"7\r\ndata: 1\r\n"
    instance.answer(b"0\r\n\r\n")
    assert client.got() == b"0\r\n\r\n"
    client.send(request())  # the same connection goes on, on both sides
    assert len(served.dialled) == 1


def test_a_client_of_1_0_gets_a_chunked_answer_plain_and_the_end_as_its_end(served: Rig) -> None:
    client = served.client()
    client.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
    instance = served.asked()
    instance.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    answer = client.got()
    assert answer.endswith(b"\r\n\r\nabc")
    assert header_of(answer, "transfer-encoding") is None
    assert client.transport.is_closed


def test_an_answer_that_ends_with_its_connection_becomes_chunked(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.answer(b"HTTP/1.1 200 OK\r\n\r\nabc")
    instance.die()
    assert client.got().endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert not client.transport.is_closed


def test_an_answer_cut_short_cuts_the_client_off_too(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
    instance.die()
    assert client.transport.is_aborted
    assert [series.reason for series in served.counted()] == ["AnswerBroken"]


def test_a_slow_head_is_cut_off_and_an_idle_connection_ends(served: Rig) -> None:
    slow, idle = served.client(), served.client()
    slow.send(b"GET /sample")
    served.advance(16)
    assert status_of(slow.got()) == 408
    assert idle.transport.is_closed


def test_a_stuck_body_is_cut_off_but_a_steady_one_is_not(served: Rig) -> None:
    served.publish(endpoint(deployment(max_concurrent_requests_per_instance=2)))
    stuck, steady = served.client(), served.client()
    for client in (stuck, steady):
        client.send(request(b"").replace(b"content-length: 0", b"content-length: 1000000"))
    for _ in range(5):
        steady.send(b"x" * 20_000)
        served.advance(20)
    assert status_of(stuck.got()) == 408
    assert steady.got() == b""
    assert not steady.transport.is_closed


def test_a_large_upload_is_held_back_while_the_instance_is_busy(served: Rig) -> None:
    client = served.client()
    client.send(request(b"").replace(b"content-length: 0", b"content-length: 5000000"), b"x" * 100_000)
    instance = served.asked()
    instance.connection.pause_writing()
    assert client.transport.is_paused
    instance.connection.resume_writing()
    assert not client.transport.is_paused


def test_a_client_that_does_not_read_holds_the_instance_back(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 1000)
    client.connection.pause_writing()
    assert instance.transport.is_paused
    client.connection.resume_writing()
    assert not instance.transport.is_paused


def test_unread_answers_stop_pipelined_requests(served: Rig) -> None:
    client = served.client()
    client.send(request(b"1") + request(b"2"))
    client.connection.pause_writing()
    instance = served.asked()
    instance.asked()
    instance.answer()
    served.settle()
    assert not instance.is_asked
    client.connection.resume_writing()
    served.settle()
    assert instance.is_asked


def test_an_early_answer_ends_the_upload(served: Rig) -> None:
    client = served.client()
    client.send(request(b"").replace(b"content-length: 0", b"content-length: 1000"), b"x")
    instance = served.asked()
    instance.answer(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n")
    answer = client.got()
    assert status_of(answer) == 424
    assert header_of(answer, "connection") == "close"
    assert instance.transport.is_closed  # it still expects the rest: of no use to the next request
    assert client.transport.has_eof


def test_a_client_that_leaves_takes_its_request_along(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    client.leave()
    assert instance.transport.is_aborted
    assert [series.status for series in served.counted()] == [499]


def test_a_half_closed_client_gets_its_answer(served: Rig) -> None:
    client = served.client()
    client.send(request())
    assert client.connection.eof_received()
    served.asked().answer()
    assert status_of(client.got()) == 200
    assert client.transport.is_closed


def test_an_empty_line_before_a_request_is_harmless(served: Rig) -> None:
    client = served.client()
    client.send(b"\r\n", request())
    assert served.asked().is_asked


def test_a_websocket_passes_both_ways(served: Rig) -> None:
    client = served.client()
    client.send(
        b"GET /sample/live HTTP/1.1\r\nhost: g\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n"
        + AUTH
        + b"\r\n"
    )
    instance = served.asked()
    asked = instance.asked()
    assert asked.startswith(b"GET /live HTTP/1.1")
    assert (header_of(asked, "upgrade"), header_of(asked, "sec-websocket-key")) == ("websocket", "k")
    instance.answer(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nsec-websocket-accept: a\r\n\r\n\x81\x01h")
    answer = client.got()
    assert status_of(answer) == 101
    assert header_of(answer, "sec-websocket-accept") == "a"
    assert answer.endswith(b"\x81\x01h")
    client.send(b"\x88\x00")
    assert instance.asked() == b"\x88\x00"
    instance.die()
    assert client.transport.is_closed


def test_bytes_nobody_asked_for_end_an_instances_connection(served: Rig) -> None:
    client = served.client()
    client.send(request())
    instance = served.asked()
    instance.answer(OK)
    instance.answer(b"HTTP/1.1 200 OK\r\n\r\n")
    assert instance.transport.is_aborted
    assert status_of(client.got()) == 200


def test_bad_chunks_of_a_request_end_it(served: Rig) -> None:
    client = served.client()
    client.send(
        request().replace(b"content-length: 2\r\n\r\n{}", b"transfer-encoding: chunked\r\n\r\n"), b"2\r\nabc\r\n"
    )
    answer = client.got()
    assert (status_of(answer), error_of(answer)) == (400, "BadRequest")
    assert served.dialled[0].transport.is_aborted


def test_a_limit_of_one_process_is_seen_by_the_deployment(rig: Rig) -> None:
    rig.publish(endpoint(deployment(max_concurrent_requests_per_instance=1)))
    clients = [rig.client() for _ in range(3)]
    for client in clients:
        client.send(request())
    answer = clients[2].got()
    assert (status_of(answer), error_of(answer)) == (429, "TooManyPendingRequests")
    assert header_of(answer, "retry-after") == "1"
