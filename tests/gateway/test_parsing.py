from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.gateway.chunked import BadChunk, ChunkedDecoder
from endpoints.gateway.errors import Refusal
from endpoints.gateway.parsing import (
    BadAnswer,
    parse_answer_head,
    parse_request_head,
)

HOST = b"Host: h\r\n"


def head(*lines: bytes, start: bytes = b"POST /a/score HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: h", *lines]) + b"\r\n\r\n"


SMUGGLING = {
    "both lengths": head(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    "two lengths": head(b"Content-Length: 3", b"Content-Length: 4"),
    "the same length twice": head(b"Content-Length: 3", b"Content-Length: 3"),
    "a list of lengths": head(b"Content-Length: 3, 3"),
    "a signed length": head(b"Content-Length: +3"),
    "a negative length": head(b"Content-Length: -3"),
    "a hexadecimal length": head(b"Content-Length: 0x3"),
    "an empty length": head(b"Content-Length:"),
    "a length with an underscore": head(b"Content-Length: 1_0"),
    "a length in other digits": head("Content-Length: ٣".encode()),
    "a length too long": head(b"Content-Length: " + b"9" * 40),
    "two codings": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "an unknown coding": head(b"Transfer-Encoding: gzip, chunked"),
    "identity": head(b"Transfer-Encoding: identity"),
    "a coding with a trailing byte": head(b"Transfer-Encoding: chunked\x0b"),
    "a coding with a trailing tab": head(b"Transfer-Encoding: chunked\t"),
    "a quoted coding": head(b'Transfer-Encoding: "chunked"'),
    "chunked in 1.0": head(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0"),
    "a space before the colon": head(b"Content-Length : 3"),
    "a folded line": head(b"X: a", b" b"),
    "a line without colon": head(b"nonsense"),
    "an empty name": head(b": x"),
    "a NUL": head(b"X: a\0b"),
    "a bare CR": head(b"X: a\rY: b"),
    "a bare LF in a value": head(b"X: a\nContent-Length: 3"),
    "bare LF line ends": b"POST / HTTP/1.1\nHost: h\n\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "two spaces": head(start=b"GET  / HTTP/1.1"),
    "a tab in the line": head(start=b"GET\t/ HTTP/1.1"),
    "no version": head(start=b"GET /"),
    "a version of its own": head(start=b"GET / HTTP/2.0"),
    "a space in the target": head(start=b"GET /a b HTTP/1.1"),
    "a byte beyond ASCII in the target": head(start=b"GET /\xff HTTP/1.1"),
    "a target that is no path": head(start=b"GET a/score HTTP/1.1"),
    "a URL without authority": head(start=b"GET http:///a HTTP/1.1"),
    "a method that is none": head(start=b"GE(T / HTTP/1.1"),
    "two authorizations": head(b"Authorization: Bearer a", b"Authorization: Bearer b"),
    "another expectation": head(b"Expect: tea"),
    "too many headers": head(*[b"X: y"] * 200),
    "a target too long": head(start=b"GET /" + b"a" * 9000 + b" HTTP/1.1"),
}


@pytest.mark.parametrize("raw", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_a_head_that_could_be_read_in_two_ways_is_refused_and_ends_the_connection(raw: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_request_head(raw)
    assert refused.value.is_final
    assert refused.value.status in {400, 414, 417, 431, 501, 505}


def test_a_usual_head_is_read() -> None:
    found = parse_request_head(head(b"Content-Length: 12", b"Accept: */*", b"Authorization: Bearer k", b"X: \xe9"))
    assert (found.method, found.target, found.content_length) == (b"POST", b"/a/score", 12)
    assert found.authorization == b"Bearer k"
    assert found.is_keep_alive
    assert found.fields == b"\r\nAccept: */*\r\nX: \xe9"


def test_headers_for_this_hop_alone_are_not_passed_on() -> None:
    raw = head(
        b"Connection: close, X-Mine", b"X-Mine: 1", b"Keep-Alive: 3", b"TE: trailers", b"Accept: a", b"Upgrade: h2c"
    )
    found = parse_request_head(raw)
    assert found.fields == b"\r\nAccept: a"
    assert not found.is_keep_alive


def test_a_client_request_id_keeps_its_good_characters_and_forty_of_them() -> None:
    found = parse_request_head(head(b"x-ms-client-request-id: a b\xff!-_" + b"9" * 60))
    assert found.client_request_id == b"ab-_" + b"9" * 36


@pytest.mark.parametrize(("line", "keeps"), [(b"HTTP/1.1", True), (b"HTTP/1.0", False)])
def test_keep_alive_is_the_default_of_1_1_only(line: bytes, keeps: bool) -> None:
    assert parse_request_head(head(start=b"GET / " + line)).is_keep_alive is keeps


BAD_CHUNKS = [
    b"g\r\n",
    b"\r\n",
    b"-1\r\n",
    b"0x2\r\nab\r\n",
    b"2\nab\r\n",
    b"2\r\nabc\r\n",
    b"2\r\nab\n0\r\n\r\n",
    b" 2\r\nab\r\n",
    b"2 \r\nab\r\n",
    b"2;a\x00\r\nab\r\n",
    b"1" * 16 + b"\r\n",
    b"2;" + b"x" * 400 + b"\r\nab\r\n",
    b"0\r\nnonsense\r\n\r\n",
    b"0\r\nX: y\nZ: a\r\n\r\n",
    b"0\r\n" + b"X: y\r\n" * 3000,
]


@pytest.mark.parametrize("raw", BAD_CHUNKS)
def test_a_malformed_chunk_is_refused(raw: bytes) -> None:
    with pytest.raises(BadChunk):
        ChunkedDecoder().feed(raw)


@pytest.mark.parametrize("raw", BAD_CHUNKS)
def test_a_malformed_chunk_is_refused_byte_by_byte_too(raw: bytes) -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(BadChunk):
        for at in range(len(raw)):
            decoder.feed(raw[at : at + 1])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(marks)]


@given(
    st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    st.lists(st.integers(0, 5000), max_size=12),
    st.binary(max_size=20),
)
@settings(deadline=None)
def test_a_chunked_body_reads_the_same_however_it_is_cut(parts: list[bytes], places: list[int], rest: bytes) -> None:
    body = b"".join(b"%x;e=1\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nT: x\r\n\r\n" + rest
    decoder = ChunkedDecoder()
    pieces: list[bytes] = []
    tail = b""
    for piece in cut(body, places):
        if decoder.is_done:
            tail += piece
        else:
            pieces += decoder.feed(piece)
    assert decoder.is_done
    assert b"".join(pieces) == b"".join(parts)
    assert decoder.rest + tail == rest


def test_an_answer_is_read_and_stripped() -> None:
    raw = (
        b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nX-Request-Id: theirs\r\nConnection: keep-alive\r\n"
        b"azureml-model-deployment: lie\r\nA: b"
    )
    found = parse_answer_head(raw)
    assert (found.status, found.content_length, found.is_keep_alive) == (200, 5, True)
    assert found.fields == b"\r\nServer: x\r\nA: b"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/2 200 OK",
        b"nonsense",
        b"",
        b"HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: c",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: a\nSet-Cookie: c",
        b"HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c",
        b"HTTP/1.1 200 OK\r\nContent-Length: x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
    ],
)
def test_an_answer_that_is_not_http_is_refused(raw: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_answer_head(raw)
