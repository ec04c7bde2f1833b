"""Who is served at once, who waits for an instance, and who is refused."""

from __future__ import annotations

from tests.gateway.rig import Rig, ask, deployment, endpoint, error_of, request, status_of


def test_the_least_busy_instance_is_taken(rig: Rig) -> None:
    rig.publish(endpoint(deployment(ports=(7001, 7002, 7003), max_concurrent_requests_per_instance=5)))
    for _ in range(9):
        rig.client().send(request())
    assert sorted(one.port for one in rig.dialled) == [7001, 7001, 7001, 7002, 7002, 7002, 7003, 7003, 7003]


def test_a_request_waits_for_an_instance_and_is_served_when_one_is_free(rig: Rig) -> None:
    rig.publish(endpoint(deployment(max_queue_wait_ms=500)))
    first, second = rig.client(), rig.client()
    first.send(request(b"1"))
    second.send(request(b"2"))
    instance = rig.asked()
    assert instance.asked().endswith(b"1")
    instance.answer()
    assert instance.asked().endswith(b"2")


def test_a_request_that_waits_too_long_is_429(rig: Rig) -> None:
    rig.publish(endpoint(deployment(max_queue_wait_ms=500)))
    rig.client().send(request())
    waiting = rig.client()
    waiting.send(request())
    rig.advance(0.4)
    assert waiting.got() == b""
    rig.advance(0.2)
    answer = waiting.got()
    assert (status_of(answer), error_of(answer)) == (429, "QueueWaitExceeded")


def test_a_client_that_leaves_the_queue_frees_its_place(rig: Rig) -> None:
    rig.publish(endpoint())
    rig.client().send(request())
    waiting = rig.client()
    waiting.send(request())
    waiting.leave()
    third = rig.client()
    third.send(request())
    assert third.got() == b""
    [live] = rig.plane.book.live
    assert (live.deployments["blue"].tally.own, len(live.deployments["blue"].queue)) == (2, 1)


def test_waiting_requests_move_to_instances_that_come_with_new_routes(rig: Rig) -> None:
    rig.publish(endpoint())
    rig.client().send(request(b"1"))
    rig.client().send(request(b"2"))
    rig.publish(endpoint(deployment(ports=(7001, 7002))))
    rig.settle()
    assert sorted(one.port for one in rig.dialled) == [7001, 7002]


def test_a_removed_deployment_finishes_what_it_began(rig: Rig) -> None:
    rig.publish(endpoint(deployment(), deployment("green", ports=(7002,))))
    client = rig.client()
    client.send(request())
    instance = rig.asked()
    rig.publish(endpoint(deployment("green", ports=(7002,))))
    instance.answer()
    assert status_of(client.got()) == 200
    assert instance.transport.is_closed
    client.send(request())
    assert rig.dialled[-1].port == 7002


def test_a_rate_limit_is_429_and_passes_with_time(rig: Rig) -> None:
    rig.publish(endpoint(deployment(max_concurrent_requests_per_instance=100), requests_per_second=5))
    answers = [ask(rig, request()) for _ in range(7)]
    assert [status_of(answer) for answer in answers if answer] == [429, 429]
    assert error_of(answers[-1]) == "RateLimited"
    rig.advance(2)
    assert ask(rig, request()) == b""
