"""A request to a sleeping deployment: held, asked for, released in turn, turned away with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints.spec.routes import HoldRules, Mirror
from tests.gateway.rig import Client, Rig, deployment, endpoint, error_of, header_of, request, status_of

RULES = HoldRules(requests=3, bytes=256 * 1024, timeout_ms=60_000)


@pytest.fixture
def asked(rig: Rig) -> list[tuple[str, str, int]]:
    """Who was asked to be woken, with one sleeper published."""
    wakes: list[tuple[str, str, int]] = []
    rig.plane.holding.wake = lambda *wake: wakes.append(wake)
    sleep(rig)
    return wakes


def sleep(rig: Rig, **fields: Any) -> None:
    rig.publish(endpoint(deployment(ports=(), **{"hold": RULES, **fields})))


def wake(rig: Rig, *ports: int, **limits: Any) -> None:
    rig.publish(endpoint(deployment(ports=ports or (7001,), hold=RULES, **limits)))
    rig.settle()


def call(rig: Rig, body: bytes = b"{}", **fields: Any) -> Client:
    client = rig.client()
    client.send(request(body, **fields))
    return client


def test_a_request_wakes_a_sleeper_and_is_answered_when_it_is_there(rig: Rig, asked: list[Any]) -> None:
    client = call(rig)
    assert (client.got(), asked) == (b"", [("sample", "blue", 1)])
    wake(rig)
    rig.asked().answer()
    assert status_of(client.got()) == 200


def test_it_is_asked_for_again_while_anybody_waits(rig: Rig, asked: list[Any]) -> None:
    client = call(rig)
    for _ in range(5):
        rig.advance(0.5)
    assert len(asked) == 3
    client.leave()
    rig.advance(5)
    assert len(asked) == 3


def test_no_more_are_held_than_may_be(rig: Rig, asked: list[Any]) -> None:
    held = [call(rig) for _ in range(3)]
    answer = call(rig).got()
    assert (status_of(answer), error_of(answer)) == (503, "TooManyHeldRequests")
    assert header_of(answer, "retry-after") == "5"
    held[0].leave()
    assert call(rig).got() == b""


def test_no_more_bytes_are_held_than_may_be(rig: Rig, asked: list[Any]) -> None:
    sleep(rig, hold=HoldRules(requests=9, bytes=100 * 1024))
    assert call(rig, b"x" * 60_000).got() == b""
    assert error_of(call(rig, b"x" * 60_000).got()) == "TooManyHeldRequests"


def test_waiting_has_an_end_and_its_own(rig: Rig, asked: list[Any]) -> None:
    client = call(rig)
    rig.advance(59.5)
    assert client.got() == b""
    rig.advance(1)
    answer = client.got()
    assert (status_of(answer), error_of(answer), header_of(answer, "retry-after")) == (503, "WakeTimeout", "10")


def test_the_hold_eats_nothing_of_the_time_out(rig: Rig, asked: list[Any]) -> None:
    client = call(rig)
    for _ in range(40):
        rig.advance(1)
    wake(rig, request_timeout_ms=5000)
    instance = rig.asked()
    rig.advance(4)
    assert client.got() == b""
    instance.answer()
    assert status_of(client.got()) == 200


def test_what_was_waited_is_counted_apart_from_latency(rig: Rig, asked: list[Any]) -> None:
    call(rig)
    rig.advance(2)
    wake(rig)
    rig.advance(0.1)
    rig.asked().answer()
    [series] = rig.counted()
    assert series.latency.sum_us < 200_000
    [held] = rig.plane.holding.take()
    assert (held.answered, held.given_up, held.waited.sum_us) == (1, 0, 2_000_000)


def test_held_requests_are_released_as_instances_have_room_and_none_is_refused(rig: Rig, asked: list[Any]) -> None:
    clients = [call(rig) for _ in range(3)]
    wake(rig)
    late = call(rig)  # comes while others still wait: behind them
    for client in (*clients, late):
        rig.asked().asked()
        assert client.got() == b""
        rig.dialled[-1].answer()
        rig.settle()
        assert status_of(client.got()) == 200


def test_whoever_comes_after_the_last_held_one_goes_straight_through(rig: Rig, asked: list[Any]) -> None:
    call(rig)
    wake(rig)
    rig.asked().answer()
    rig.advance(0.1)
    assert rig.plane.holding.rooms == set()
    client = call(rig)
    rig.asked().answer()
    assert status_of(client.got()) == 200


def test_a_wake_that_failed_says_why_at_once(rig: Rig, asked: list[Any]) -> None:
    client = call(rig)
    sleep(rig, trouble="There is no quota left.")
    answer = client.got()
    assert (status_of(answer), error_of(answer)) == (503, "WakeFailed")
    assert b"could not be woken: There is no quota left." in answer
    rig.advance(2)
    assert error_of(call(rig).got()) == "WakeFailed"
    assert len(asked) == 2  # and is tried again with the next request


def test_a_queued_request_is_held_when_its_deployment_falls_asleep(rig: Rig, asked: list[Any]) -> None:
    wake(rig, max_queue_wait_ms=60_000)
    call(rig)
    waiting = call(rig)
    sleep(rig)
    assert (waiting.got(), len(asked)) == (b"", 1)
    wake(rig, 7002)
    [instance] = [one for one in rig.dialled if one.port == 7002]
    instance.answer()
    assert status_of(waiting.got()) == 200


def test_a_body_that_comes_while_it_is_held_is_sent_whole(rig: Rig, asked: list[Any]) -> None:
    client = rig.client()
    raw = request(b"x" * 200_000)
    client.send(raw[:1000], raw[1000:90_000])
    assert client.transport.is_paused  # more than that is not kept in memory
    wake(rig)
    assert not client.transport.is_paused
    client.send(raw[90_000:])
    instance = rig.asked()
    assert instance.asked().endswith(b"x" * 200_000)
    instance.answer()
    assert status_of(client.got()) == 200


def test_a_deployment_named_in_the_header_is_woken_too(rig: Rig, asked: list[Any]) -> None:
    rig.publish(endpoint(deployment(), deployment("green", ports=(), hold=RULES)))
    call(rig, headers=b"azureml-model-deployment: green\r\n")
    assert asked == [("sample", "green", 1)]


def test_a_mirror_never_wakes(rig: Rig, asked: list[Any]) -> None:
    shadow = deployment("green", ports=(), hold=RULES)
    rig.publish(endpoint(deployment(), shadow, mirror=Mirror(deployment="green", percent=100)))
    client = call(rig)
    rig.asked().answer()
    assert (status_of(client.got()), asked) == (200, [])


def test_without_rules_to_hold_it_is_refused_as_ever(rig: Rig, asked: list[Any]) -> None:
    sleep(rig, hold=None)
    answer = call(rig).got()
    assert (status_of(answer), error_of(answer), asked) == (503, "NoReadyInstances", [])


def test_a_deployment_that_is_gone_holds_nobody(rig: Rig, asked: list[Any]) -> None:
    client = call(rig)
    rig.publish(endpoint(deployment("green")))
    assert error_of(client.got()) == "NoReadyInstances"
