from __future__ import annotations

from math import sqrt
from typing import Any

import msgspec
import pytest

from endpoints.gateway.routes_feed import keep_newer
from endpoints.gateway.routes_watch import BadRoutes, RoutesWatch, read_table
from endpoints.spec.routes import InstanceRoute, RouteTable
from tests.gateway.rig import OK, Rig, deployment, endpoint, request


@pytest.mark.parametrize("green", [1, 10, 50, 90])
def test_the_split_stays_within_the_binomial_bound(rig: Rig, green: int) -> None:
    wide: dict[str, Any] = {"max_concurrent_requests_per_instance": 10}
    rig.publish(
        endpoint(
            deployment(**wide),
            deployment("green", ports=(7002,), **wide),
            traffic={"blue": 100 - green, "green": green},
        )
    )
    count = 25_000  # of 100,000 over the four splits
    client = rig.client()
    raw = request()
    for name in (b"blue", b"green"):  # a warm connection to each
        client.send(request(headers=b"azureml-model-deployment: " + name + b"\r\n"))
        rig.dialled[-1].answer()
    rig.counted()
    for _ in range(count):
        client.connection.data_received(raw)
        exchange = client.connection.exchange
        assert exchange is not None
        upstream: Any = exchange.upstream
        upstream.transport.take()
        upstream.data_received(OK)
        client.got()
    seen = {series.deployment: series.requests for series in rig.counted()}
    expected = count * green / 100
    assert seen["blue"] + seen["green"] == count
    assert abs(seen["green"] - expected) < 4.5 * sqrt(expected * (1 - green / 100))


def test_the_split_holds_when_every_answer_ends_its_connection(rig: Rig) -> None:
    rig.publish(endpoint(deployment(), deployment("green", ports=(7002,)), traffic={"blue": 90, "green": 10}))
    client = rig.client()
    for _ in range(2000):
        client.connection.data_received(request())
        rig.settle()
        rig.dialled.pop().answer(OK.replace(b"content-type", b"connection: close\r\ncontent-type"))
    seen = {series.deployment: series.requests for series in rig.counted()}
    assert abs(seen["green"] - 200) < 4.5 * sqrt(2000 * 0.1 * 0.9)


def test_a_change_of_another_endpoint_keeps_connections_warm(rig: Rig) -> None:
    rig.publish(endpoint())
    client = rig.client()
    client.send(request())
    rig.asked().answer()
    rig.publish(endpoint(), endpoint(name="other"))
    client.send(request())
    assert len(rig.dialled) == 1


def test_endpoints_cost_nothing_until_they_are_asked_for(rig: Rig) -> None:
    rig.publish(*(endpoint(name=f"e{number}") for number in range(500)))
    assert not rig.plane.book.live
    rig.client().send(request(target="/e77/score"))
    assert [live.name for live in rig.plane.book.live] == ["e77"]


BAD_TABLES = {
    "not JSON": b"{",
    "not UTF-8": b'{"version":1,"endpoints":{},"domain":"\xff"}',
    "no version": b'{"endpoints": {}}',
    "another name": b'{"version":1,"endpoints":{"a":{"name":"b"}}}',
    "a name with CRLF": b'{"version":1,"endpoints":{"a\\r\\n":{"name":"a\\r\\n"}}}',
    "a digest that is none": b'{"version":1,"endpoints":{"a":{"name":"a","key_digests":["x"]}}}',
    "a weight beyond 100": b'{"version":1,"endpoints":{"a":{"name":"a","traffic":{"b":101}}}}',
    "a port beyond 65535": (
        b'{"version":1,"endpoints":{"a":{"name":"a","deployments":{"b":{"name":"b","instances":'
        b'[{"id":"i","host":"h","port":70000}]}}}}}'
    ),
    "a path with a space": (
        b'{"version":1,"endpoints":{"a":{"name":"a","deployments":{"b":{"name":"b","scoring_path":"/a b"}}}}}'
    ),
    "a number no float holds": b'{"version":1,"endpoints":{"a":{"name":"a","bytes_per_second":1%s}}}' % (b"0" * 400),
    "a rate below nothing": b'{"version":1,"endpoints":{"a":{"name":"a","requests_per_second":-1}}}',
    "nested too deeply": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_malformed_table_is_refused_whole(content: bytes) -> None:
    with pytest.raises(BadRoutes):
        read_table(content)


def test_the_watch_takes_newer_tables_only_and_survives_bad_ones(rig: Rig, tmp_path) -> None:
    file = tmp_path / "routes.json"
    applied: list[int] = []
    watch = RoutesWatch(file, lambda table: applied.append(table.version))

    def publish(content: bytes) -> None:
        draft = tmp_path / "draft"
        draft.write_bytes(content)
        draft.replace(file)
        watch.look()

    watch.look()
    publish(msgspec.json.encode(RouteTable(version=3, endpoints={})))
    publish(b"nonsense")
    publish(msgspec.json.encode(RouteTable(version=2, endpoints={})))
    publish(msgspec.json.encode(RouteTable(version=4, endpoints={})))
    file.unlink()
    watch.look()
    assert applied == [3, 4]


def test_what_arrives_by_redis_is_kept_on_disk_if_it_is_newer(tmp_path) -> None:
    file = tmp_path / "routes" / "routes.json"
    newer, older = (msgspec.json.encode(RouteTable(version=version, endpoints={})) for version in (5, 4))
    assert keep_newer(file, newer)
    assert not keep_newer(file, older)
    assert file.read_bytes() == newer


def test_instances_listed_as_they_were_are_the_same_objects(rig: Rig) -> None:
    rig.publish(endpoint())
    rig.client().send(request())
    [before] = rig.plane.book.live[0].deployments["blue"].instances
    more = deployment(ports=(7001, 7002), max_concurrent_requests_per_instance=4)
    rig.publish(endpoint(more))
    assert rig.plane.book.live[0].deployments["blue"].instances[0] is before
    assert rig.plane.book.live[0].deployments["blue"].limit == 16
    assert isinstance(more.instances[0], InstanceRoute)
