"""Requests of one key go to one deployment, whose shares stay what they are."""

from __future__ import annotations

from endpoints.spec.routes import StickyKey
from tests.gateway.rig import Rig, deployment, endpoint, request


def test_a_sticky_header_pins_and_keeps_the_weights(rig: Rig) -> None:
    rig.publish(
        endpoint(
            deployment(),
            deployment("green"),
            traffic={"blue": 30, "green": 70},
            sticky=StickyKey(kind="header", name="x-user"),
        )
    )
    live = rig.plane.book.find("sample")
    assert live is not None
    chosen = {str(user): live.choose_for(str(user).encode()) for user in range(5000)}
    assert all(live.choose_for(user.encode()) is found for user, found in chosen.items())
    blues = sum(found is live.deployments["blue"] for found in chosen.values())
    assert 1350 < blues < 1650


def test_a_sticky_field_is_found_in_a_body_that_comes_in_pieces(rig: Rig) -> None:
    rig.publish(
        endpoint(
            deployment(max_concurrent_requests_per_instance=99),
            deployment("green", ports=(7002,), max_concurrent_requests_per_instance=99),
            traffic={"blue": 50, "green": 50},
            sticky=StickyKey(kind="json", name="user.id"),
        )
    )
    raw = request(b'{"user": {"id": 7}, "data": []}')
    for _ in range(10):
        rig.client().send(raw[:-20], raw[-20:])
    assert len({one.port for one in rig.dialled}) == 1
    assert all(one.asked().endswith(raw[-31:]) for one in rig.dialled)
