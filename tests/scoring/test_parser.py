"""Raw bytes in, requests or refusals out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.scoring.http import parser as module
from endpoints.scoring.http.lines import BadRequest
from endpoints.scoring.http.parser import RequestParser

Result = list[tuple[str, str, str, dict[str, str], bytes, bool]]


def outcome(*packets: bytes) -> tuple[Result, int]:
    """(the requests, the status of the refusal or 0)."""
    parser = RequestParser(max_body_bytes=1 << 20)
    requests: Result = []
    for packet in packets:
        parser.feed(packet)
        try:
            while (request := parser.next_request()) is not None:
                line = (request.method, request.route, request.query)
                requests.append((*line, request.headers, request.body, request.keep_alive))
        except BadRequest as bad:
            return requests, bad.status
    return requests, 0


def test_reads_a_request_with_a_body() -> None:
    requests, status = outcome(b"POST /score?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
    assert (requests, status) == ([("POST", "/score", "a=1", {"host": "x", "content-length": "2"}, b"hi", True)], 0)


def test_reads_pipelined_requests_in_order() -> None:
    requests, _ = outcome(
        b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\ncontent-length: 1\r\n\r\nxGET /c HTTP/1.0\r\n\r\n"
    )
    assert [(route, body, keep) for _, route, _, _, body, keep in requests] == [
        ("/a", b"", True),
        ("/b", b"x", True),
        ("/c", b"", False),
    ]


def test_a_head_that_comes_again_is_read_as_the_first_time() -> None:
    one = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nA: 1\r\n\r\n"
    other = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nA: 1\r\n\r\n"
    chunked = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    bad = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nA 1\r\n\r\n"
    chunks = b"1\r\nx\r\n0\r\n\r\n"
    wholes = [one + b"hi", one + b"ho", other + b"hey", one + b"hi", chunked + chunks, chunked + chunks, one + b"ha"]
    alone = [outcome(whole)[0][0] for whole in wholes]
    assert outcome(*wholes) == (alone, 0)
    assert outcome(b"".join(wholes)) == (alone, 0)
    assert outcome(one + b"hi", bad + b"hi") == (alone[:1], 400)


def test_joins_chunks_and_drops_extensions_and_trailers() -> None:
    body = b"3;name=x\r\nabc\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n"
    requests, status = outcome(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert status == 0
    assert requests[0][4] == b"abc0123456789"


def test_joins_repeated_headers_and_drops_their_blanks() -> None:
    requests, _ = outcome(b"GET / HTTP/1.1\r\nA:  1 \r\na:\t2\r\n\r\n")
    assert requests[0][3] == {"a": "1,2"}


@pytest.mark.parametrize(
    ("target", "route"),
    [("//score", "/score"), ("/score/", "/score/"), ("/%73core", "/score"), ("http://h:1/score", "/score"), ("*", "*")],
)
def test_normalises_targets(target: str, route: str) -> None:
    requests, _ = outcome(f"OPTIONS {target} HTTP/1.1\r\n\r\n".encode())
    assert requests[0][1] == route


BAD = {
    b"GET / HTTP/1.1\n\n": 400,
    b"GET  / HTTP/1.1\r\n\r\n": 400,
    b"garbage\r\n\r\n": 400,
    b"GET / HTTP/2.0\r\n\r\n": 505,
    b"GET score HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nA : b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n folded: b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nA: \0\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx": 400,
    b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx": 400,
    b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx": 400,
    b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 400,
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n": 501,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n": 400,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n": 400,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab": 400,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\nab": 400,
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2000: 400,
    b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n": 413,
    b"POST / HTTP/1.1\r\nExpect: wonders\r\n\r\n": 417,
    b"GET /" + b"a" * module.MAX_REQUEST_LINE: 414,
    b"GET / HTTP/1.1\r\nA: " + b"a" * module.MAX_HEADER_LINE: 431,
    b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: 1\r\n" % i for i in range(101)) + b"\r\n": 431,
    b"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n": 400,
}


@pytest.mark.parametrize(("data", "status"), BAD.items(), ids=lambda value: repr(value)[:60])
def test_refuses_what_can_be_read_in_two_ways(data: bytes, status: int) -> None:
    assert outcome(data) == ([], status)


@pytest.mark.parametrize("data", BAD, ids=lambda value: repr(value)[:60])
def test_refuses_it_byte_by_byte_just_the_same(data: bytes) -> None:
    assert outcome(*(data[i : i + 1] for i in range(len(data)))) == outcome(data)


def test_a_client_that_waits_for_permission_is_noticed_until_the_body_comes() -> None:
    parser = RequestParser()
    parser.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert parser.next_request() is None
    assert parser.awaits_continue
    parser.feed(b"x")
    request = parser.next_request()
    assert request is not None and request.body == b"x"
    assert not parser.awaits_continue


names = st.sampled_from(["A", "x-request-id", "Content-Type", "TraceId"])
values = st.text("abc ,;=\t\xe9", max_size=12)
bodies = st.binary(max_size=60)


@st.composite
def requests_as_bytes(draw: st.DrawFn) -> bytes:
    head = f"{draw(st.sampled_from(['GET', 'POST']))} /{draw(st.sampled_from(['', 'score', 'a?b=c']))} HTTP/1.1\r\n"
    for name, value in draw(st.lists(st.tuples(names, values), max_size=4)):
        head += f"{name}: {value}\r\n"
    body = draw(bodies)
    if draw(st.booleans()):
        return f"{head}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
    cut = draw(st.integers(0, len(body)))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part)
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode("latin-1") + chunks + b"0\r\n\r\n"


@given(st.lists(requests_as_bytes(), min_size=1, max_size=3), st.data())
def test_any_split_into_packets_gives_the_same(wire: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(wire)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    packets = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = outcome(stream)
    assert len(whole[0]) == len(wire)
    assert outcome(*packets) == whole


@given(
    st.binary(max_size=200), st.sampled_from([*BAD, b"POST /score HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"]), st.data()
)
def test_any_split_of_damaged_bytes_gives_the_same(noise: bytes, base: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, min(len(base), 80)))
    stream = base[:place] + noise + base[place:]
    cuts = sorted(data.draw(st.lists(st.integers(0, min(len(stream), 400)), max_size=8)))
    packets = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(*packets) == outcome(stream)
