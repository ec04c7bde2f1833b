"""A mirror gets copies and harms nobody."""

from __future__ import annotations

from endpoints.spec.routes import Mirror
from tests.gateway.rig import Rig, deployment, endpoint, header_of, request, status_of


def test_a_mirror_gets_a_copy_and_its_answer_is_dropped(rig: Rig) -> None:
    rig.publish(
        endpoint(deployment(), deployment("green", ports=(7002,)), mirror=Mirror(deployment="green", percent=100))
    )
    client = rig.client()
    client.send(request(b"body"))
    live, shadow = sorted(rig.dialled, key=lambda one: one.port)
    original, copy = live.asked(), shadow.asked()
    assert header_of(copy, "x-request-id") == header_of(original, "x-request-id")
    assert copy.endswith(b"\r\n\r\nbody")
    shadow.answer(b"HTTP/1.1 500 Oh\r\ncontent-length: 1\r\n\r\nx")
    assert client.got() == b""
    live.answer()
    assert status_of(client.got()) == 200
    counted = {(series.deployment, series.is_mirror): series for series in rig.counted()}
    assert counted["blue", False].status == 200
    assert (counted["green", True].status, counted["green", True].model_status) == (424, 500)


def test_a_shadow_that_fails_or_hangs_harms_nobody(rig: Rig) -> None:
    rig.publish(
        endpoint(deployment(), deployment("green", ports=(7002,)), mirror=Mirror(deployment="green", percent=100))
    )
    rig.refused = {7002}
    client = rig.client()
    client.send(request())
    rig.asked().answer()
    assert status_of(client.got()) == 200
    rig.refused = set()
    client.send(request())
    rig.dialled[0].answer()
    assert status_of(client.got()) == 200
    rig.advance(6)
    assert {series.reason for series in rig.counted() if series.is_mirror} == {"InstanceUnreachable", "RequestTimeout"}


def test_a_request_that_names_its_deployment_is_never_mirrored(rig: Rig) -> None:
    rig.publish(
        endpoint(deployment(), deployment("green", ports=(7002,)), mirror=Mirror(deployment="green", percent=100))
    )
    rig.client().send(request(headers=b"azureml-model-deployment: blue\r\n"))
    assert [one.port for one in rig.dialled] == [7001]


def test_chunked_uploads_are_mirrored_with_a_length(rig: Rig) -> None:
    rig.publish(
        endpoint(deployment(), deployment("green", ports=(7002,)), mirror=Mirror(deployment="green", percent=100))
    )
    chunked = request().replace(b"content-length: 2\r\n\r\n{}", b"transfer-encoding: chunked\r\n\r\n")
    rig.client().send(chunked, b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")
    live, shadow = sorted(rig.dialled, key=lambda one: one.port)
    assert live.asked().endswith(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    copy = shadow.asked()
    assert header_of(copy, "content-length") == "3"
    assert copy.endswith(b"\r\n\r\nabc")
