"""Pairs of answers: what is kept of both sides, what is not, and that no caller ever notices."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from endpoints.gateway import pairing
from endpoints.gateway.pairing import Pairs
from endpoints.spec.pairs import MAX_BODY_BYTES, Pair, PairBatch
from endpoints.spec.routes import Comparison, Mirror
from tests.gateway.rig import OK, Client, Instance, Rig, deployment, endpoint, request, status_of

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def answer(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d Fine\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def compare(rig: Rig, *, percent: int = 100, per_second: int = 100, keeps: bool = False, **shadow: Any) -> None:
    comparison = Comparison(sample_percent=percent, max_per_second=per_second, keeps_requests=keeps)
    mirror = Mirror(deployment="green", percent=100, comparison=comparison)
    shadow.setdefault("ports", (7002,))
    live = deployment(revision=3, max_concurrent_requests_per_instance=5)
    rig.publish(endpoint(live, deployment("green", **{"revision": 4, **shadow}), mirror=mirror))


@pytest.fixture
def compared(rig: Rig) -> Rig:
    compare(rig)
    return rig


def asked(rig: Rig, raw: bytes = b"") -> tuple[Client, Instance, Instance]:
    """A request that is with both deployments."""
    client = rig.client()
    client.send(raw or request())
    live, shadow = sorted((one for one in rig.dialled if one.is_asked), key=lambda one: one.port)
    live.asked(), shadow.asked()
    return client, live, shadow


def batch(rig: Rig) -> PairBatch:
    taken = rig.plane.pairs.take_batch()
    return msgspec.msgpack.decode(taken[1], type=PairBatch) if taken else PairBatch(id="")


def paired(rig: Rig) -> Pair:
    [pair] = batch(rig).pairs
    assert rig.plane.pairs.held_bytes == 0
    return pair


def test_both_answers_are_kept_with_how_long_they_took(compared: Rig) -> None:
    client, live, shadow = asked(compared)
    compared.advance(0.25)
    live.answer(answer(b'{"a": 1}'))
    assert status_of(client.got()) == 200  # the caller waits for nobody
    compared.advance(0.5)
    shadow.answer(answer(b'{"a": 2}', status=201))
    pair = paired(compared)
    assert (pair.endpoint, pair.live_deployment, pair.shadow_deployment) == ("sample", "blue", "green")
    assert (pair.live.status, pair.live.body, pair.live.microseconds) == (200, b'{"a": 1}', 250_000)
    assert (pair.shadow.status, pair.shadow.body, pair.shadow.microseconds) == (201, b'{"a": 2}', 750_000)
    assert (pair.live.revision, pair.shadow.revision, pair.reason, pair.request) == (3, 4, "", None)
    assert pair.shadow.content_type == "application/json"


def test_the_same_bytes_travel_without_bodies(compared: Rig) -> None:
    _, live, shadow = asked(compared)
    shadow.answer(OK)
    live.answer(OK)
    pair = paired(compared)
    assert (pair.is_same, pair.live.body, pair.shadow.body) == (True, b"", b"")


def test_an_answer_in_pieces_is_put_together(compared: Rig) -> None:
    client, live, shadow = asked(compared)
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    for one in (live, shadow):
        one.answer(chunked)
        one.answer(b"3\r\nabc\r\n")
        one.answer(b"3\r\n%b\r\n0\r\n\r\n" % (b"def" if one is live else b"xyz"))
    pair = paired(compared)
    assert (pair.live.body, pair.shadow.body) == (b"abcdef", b"abcxyz")
    assert client.got().endswith(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


def test_a_request_is_kept_only_where_that_is_asked_for(rig: Rig) -> None:
    compare(rig, keeps=True)
    _, live, shadow = asked(rig, request(b"[1, 2]", headers=b"content-type: application/json\r\n"))
    live.answer(answer(b"1"))
    shadow.answer(answer(b"2"))
    pair = paired(rig)
    assert (pair.request, pair.request_type) == (b"[1, 2]", "application/json")


def test_a_request_whose_answers_agree_is_not_kept(rig: Rig) -> None:
    compare(rig, keeps=True)
    _, live, shadow = asked(rig)
    live.answer(OK)
    shadow.answer(OK)
    assert paired(rig).request is None


@pytest.mark.parametrize(
    ("bytes_of_live", "bytes_of_shadow"), [(MAX_BODY_BYTES + 1, 2), (2, MAX_BODY_BYTES + 1), (9_999_999, 9_999_999)]
)
def test_too_large_answers_are_not_compared(compared: Rig, bytes_of_live: int, bytes_of_shadow: int) -> None:
    client, live, shadow = asked(compared)
    live.answer(answer(bytes(bytes_of_live)))
    shadow.answer(answer(bytes(bytes_of_shadow)))
    assert len(client.got()) > bytes_of_live
    pair = paired(compared)
    assert (pair.reason, pair.live.body, pair.shadow.body) == ("TooLarge", b"", b"")


def test_a_body_as_large_as_may_be_is_compared(compared: Rig) -> None:
    _, live, shadow = asked(compared)
    live.answer(answer(b"a" * MAX_BODY_BYTES))
    shadow.answer(answer(b"b" * MAX_BODY_BYTES))
    assert paired(compared).reason == ""


def test_streams_are_not_compared(compared: Rig) -> None:
    client, live, shadow = asked(compared)
    live.answer(EVENTS + b"5\r\ndata:\r\n")
    assert client.got().endswith(b"5\r\ndata:\r\n")
    live.answer(b"0\r\n\r\n")
    shadow.answer(OK)
    assert paired(compared).reason == "Streaming"


def test_a_caller_that_leaves_makes_no_verdict_on_the_shadow(compared: Rig) -> None:
    client, live, shadow = asked(compared)
    client.leave()
    shadow.answer(OK)
    pair = paired(compared)
    assert (pair.reason, pair.live.failure, live.transport.is_aborted) == ("LiveFailed", "ClientClosed", True)


@pytest.mark.parametrize("how", ["dies", "hangs", "garbage", "unreachable", "busy", "gone"])
def test_a_shadow_that_fails_is_told_and_harms_nobody(rig: Rig, how: str) -> None:
    compare(rig, request_timeout_ms=2000, ports=() if how == "gone" else (7002,))
    if how == "unreachable":
        rig.refused.add(7002)
    first = rig.client()
    if how == "busy":
        first.send(request())
    client = rig.client()
    client.send(request())
    for one in rig.dialled:
        if one.is_asked and one.port == 7001:
            one.asked()
            one.answer()
    assert status_of(client.got()) == 200
    shadow = next((one for one in rig.dialled if one.port == 7002), None)
    if shadow is not None and how == "dies":
        shadow.die()
    if shadow is not None and how == "garbage":
        shadow.answer(b"not HTTP at all\r\n\r\n")
    rig.advance(3)
    words = {"dies": "InstanceFailed", "hangs": "RequestTimeout", "garbage": "BadAnswer", "gone": "MirrorDropped"}
    words |= {"unreachable": "InstanceUnreachable", "busy": "MirrorDropped"}
    found = {(pair.reason, pair.shadow.failure) for pair in batch(rig).pairs}
    assert ("ShadowFailed", words[how]) in found


def test_a_live_instance_that_dies_and_is_replaced_makes_one_pair(rig: Rig) -> None:
    comparison = Comparison(sample_percent=100, max_per_second=100, keeps_requests=False)
    mirror = Mirror(deployment="green", percent=100, comparison=comparison)
    rig.publish(endpoint(deployment(ports=(7001, 7003)), deployment("green", ports=(7002,)), mirror=mirror))
    client = rig.client()
    client.send(request())
    live = next(one for one in rig.dialled if one.is_asked and one.port != 7002)
    shadow = next(one for one in rig.dialled if one.port == 7002)
    shadow.asked()
    live.die()
    rig.settle()
    second = next(one for one in rig.dialled if one.is_asked and one.port != 7002 and one is not live)
    second.answer(answer(b"1"))
    shadow.answer(answer(b"1"))
    assert status_of(client.got()) == 200
    assert paired(rig).is_same


def test_without_a_comparison_nothing_is_kept(rig: Rig) -> None:
    mirror = Mirror(deployment="green", percent=100)
    rig.publish(endpoint(deployment(), deployment("green", ports=(7002,)), mirror=mirror))
    _, live, shadow = asked(rig)
    live.answer(OK)
    shadow.answer(OK)
    assert rig.plane.pairs.take_batch() is None


def test_a_share_of_the_mirrored_requests_is_compared(rig: Rig) -> None:
    compare(rig, percent=50)
    chances = iter([0.0, 0.0, 0.49, 0.0, 0.0, 0.51])  # the split, the mirror, the pair: twice
    rig.plane.random = lambda: next(chances)
    for _ in range(2):
        _, live, shadow = asked(rig)
        live.answer(OK)
        shadow.answer(OK)
    assert len(batch(rig).pairs) == 1


def test_so_many_a_second_are_compared_at_most(rig: Rig) -> None:
    compare(rig, per_second=3)
    for _ in range(2):
        for _ in range(10):
            _, live, shadow = asked(rig)
            live.answer(OK)
            shadow.answer(OK)
        assert len(batch(rig).pairs) == 3
        rig.advance(2)


def test_without_room_pairs_are_dropped_and_counted_and_callers_are_answered(compared: Rig) -> None:
    compared.plane.pairs = Pairs("small", wall_clock=lambda: 0.0, max_held_bytes=3000)
    client, live, shadow = asked(compared)
    live.answer(answer(bytes(2500)))
    shadow.answer(answer(bytes(10)))
    assert len(client.got()) > 2500
    found = batch(compared)
    assert (found.pairs, found.dropped, compared.plane.pairs.held_bytes) == ((), {"sample": 1}, 0)


def test_a_fault_in_here_ends_the_pair_and_nothing_else(
    compared: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> bytes:
        raise LookupError

    client, live, shadow = asked(compared)
    monkeypatch.setattr(pairing, "_header", fail)
    live.answer(OK)
    shadow.answer(OK)
    assert status_of(client.got()) == 200
    assert (batch(compared).pairs, compared.plane.pairs.held_bytes) == ((), 0)
    assert "given up" in caplog.text


def test_batches_have_ids_of_their_own_and_a_bounded_size(compared: Rig) -> None:
    for _ in range(12):
        _, live, shadow = asked(compared)
        live.answer(answer(b"a" * 60_000))
        shadow.answer(answer(b"b" * 60_000))
    taken = []
    while (one := compared.plane.pairs.take_batch()) is not None:
        taken.append(one)
    assert len({batch_id for batch_id, _ in taken}) == len(taken) == 3
    assert all(len(encoded) <= pairing.MAX_BATCH_BYTES for _, encoded in taken)


def test_switching_off_gives_the_shared_cells_back(compared: Rig) -> None:
    _, live, shadow = asked(compared)
    live.answer(OK)
    shadow.answer(OK)
    endpoint_there = compared.plane.book.find("sample")
    assert endpoint_there is not None and endpoint_there.sampling is not None
    compared.publish(endpoint(deployment(), deployment("green", ports=(7002,))))
    assert endpoint_there.sampling is None
