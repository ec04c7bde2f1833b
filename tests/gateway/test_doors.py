"""How many connections may be open at a gateway, and how many may come in a second."""

from __future__ import annotations

from endpoints.gateway.admission import Doors
from endpoints.gateway.board import Board
from endpoints.spec.routes import ConnectionLimits
from tests.gateway.rig import OK, Client, Rig, endpoint, error_of, header_of, request, status_of

HEALTH = b"GET /-/healthz HTTP/1.1\r\nhost: g\r\n\r\n"


def ask(rig: Rig, client: Client) -> bytes:
    client.send(request())
    for instance in rig.dialled:
        if instance.is_asked:
            instance.asked()
            instance.answer(OK)
    return client.got()


def test_a_connection_too_many_is_told_so_and_closed_and_another_may_come_when_one_has_left(rig: Rig) -> None:
    rig.publish(endpoint(), connections=ConnectionLimits(active=2))
    first, second, third = rig.client(), rig.client(), rig.client()
    assert [status_of(ask(rig, client)) for client in (first, second)] == [200, 200]
    refused = ask(rig, third)
    assert (status_of(refused), error_of(refused), header_of(refused, "connection")) == (
        429,
        "TooManyConnections",
        "close",
    )
    assert header_of(refused, "retry-after") == "1"
    assert third.transport.has_eof
    third.leave()
    assert status_of(ask(rig, rig.client())) == 429
    first.leave()
    assert status_of(ask(rig, rig.client())) == 200
    assert [(one.status, one.requests) for one in rig.counted() if one.reason == "TooManyConnections"] == [(429, 2)]


def test_health_is_answered_whatever_the_limit(rig: Rig) -> None:
    rig.publish(endpoint(), connections=ConnectionLimits(active=1))
    rig.client()
    probe = rig.client()
    for _ in range(2):
        probe.send(HEALTH)
        assert status_of(probe.got()) == 200
    assert status_of(ask(rig, probe)) == 429


def test_too_many_new_ones_in_a_second_are_refused_and_time_lets_more_in(rig: Rig) -> None:
    rig.publish(endpoint(), connections=ConnectionLimits(new_per_second=3))
    answers = [ask(rig, rig.client()) for _ in range(4)]
    assert [status_of(answer) for answer in answers] == [200, 200, 200, 429]
    assert error_of(answers[-1]) == "TooManyNewConnections"
    rig.advance(2)
    assert status_of(ask(rig, rig.client())) == 200


def test_a_limit_that_is_lowered_lets_open_connections_be(rig: Rig) -> None:
    rig.publish(endpoint())
    first, second = rig.client(), rig.client()
    rig.publish(endpoint(), connections=ConnectionLimits(active=1))
    assert [status_of(ask(rig, client)) for client in (first, second)] == [200, 200]
    assert status_of(ask(rig, rig.client())) == 429


def test_all_processes_of_a_gateway_count_together() -> None:
    board = Board.create()
    for column in (1, 2):
        board.enlist(column)
    doors = [Doors(Board(board.fd, column)) for column in (1, 2)]
    for one in doors:
        one.limits = ConnectionLimits(active=2)
        assert one.enter(0.0) is None
    assert all(one.enter(0.0) is not None for one in doors)
    doors[0].leave()
    assert doors[1].enter(0.0) is None
