from __future__ import annotations

import fcntl
import random
from math import inf
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from endpoints.gateway.accesslog import AccessLog
from endpoints.gateway.board import Board, Tally
from endpoints.gateway.link import Confirmed, Drain, FromMaster, Link
from endpoints.gateway.logfile import RotatedFile
from endpoints.gateway.master import forget_dead_members
from endpoints.gateway.request_ids import RequestIds
from endpoints.gateway.settings import BadSetting, read_settings
from endpoints.gateway.sticky import value_in_json
from endpoints.gateway.wheel import TimerWheel
from tests.gateway.rig import Rig, endpoint, request


class Item:
    def __init__(self) -> None:
        self.deadline = self.due = inf
        self.expired: list[float] = []

    def expire(self, now: float) -> None:
        self.expired.append(now)


def test_a_deadline_is_met_once_and_never_early() -> None:
    wheel, item = TimerWheel(100), Item()
    wheel.arm(item, 101)
    wheel.advance(100.99)
    assert item.expired == []
    wheel.advance(101.05)
    wheel.advance(109)
    assert item.expired == [101.05]


def test_a_later_deadline_needs_no_call_and_an_earlier_one_is_met() -> None:
    wheel, later, earlier = TimerWheel(100), Item(), Item()
    wheel.arm(later, 101)
    later.deadline = 105
    wheel.arm(earlier, 175)
    wheel.arm(earlier, 102)
    wheel.advance(104)
    assert (later.expired, earlier.expired) == ([], [104])
    wheel.advance(105.1)
    assert later.expired == [105.1]


def test_a_forgotten_item_is_held_by_nothing() -> None:
    wheel, item = TimerWheel(100), Item()
    wheel.arm(item, 101)
    wheel.forget(item)
    wheel.advance(200)
    assert item.expired == []
    assert not any(wheel._slots.values())


def test_processes_see_each_others_counts_and_forget_the_dead() -> None:
    master = Board.create()
    for column in (1, 2):
        master.enlist(column)
    first, second = Board(master.fd, 1), Board(master.fd, 2)
    mine, theirs = Tally(first, "deployment:a/b"), Tally(second, "deployment:a/b")
    theirs.enter()
    theirs.enter()
    mine.enter()
    assert mine.total() == theirs.total() == 3
    master.clear(2)
    first.look_around()
    assert mine.total() == 1


def test_rows_of_names_that_are_gone_are_used_again() -> None:
    board = Board.create()
    rows = {board.claim("a"), board.claim("b"), board.claim("a")}
    assert len(rows) == 2
    for number in range(70_000):  # more names than there are rows
        board.release(board.claim(f"instance:{number}"))


def test_request_ids_are_version_4_and_differ() -> None:
    ids = RequestIds()
    found = {ids.take() for _ in range(70_000)}
    assert len(found) == 70_000
    assert {UUID(one.decode()).version for one in found} == {4}


def test_settings_come_from_the_environment(tmp_path) -> None:
    found = read_settings(
        {"SLIPWAY_HOME": str(tmp_path), "SLIPWAY_GATEWAY_PORT": "8081", "SLIPWAY_GATEWAY_DOMAIN": ".M.Example."}
    )
    assert (found.port, found.domain, found.home.root) == (8081, "m.example", tmp_path)
    assert found.processes >= 1


def test_gateways_that_share_a_port_have_a_folder_each_and_one_alone_the_homes(tmp_path: Path) -> None:
    alone = read_settings({"SLIPWAY_HOME": str(tmp_path)})
    shared = read_settings({"SLIPWAY_HOME": str(tmp_path), "SLIPWAY_GATEWAY_SHARED_PORT": "on"})
    assert (alone.is_port_shared, alone.own_folder) == (False, tmp_path / "gateway")
    assert (shared.is_port_shared, shared.own_folder.parent) == (True, tmp_path / "gateway" / "members")


def test_folders_of_members_that_are_gone_are_forgotten_and_those_of_the_living_kept(tmp_path: Path) -> None:
    settings = read_settings({"SLIPWAY_HOME": str(tmp_path), "SLIPWAY_GATEWAY_SHARED_PORT": "on"})
    dead, living = (tmp_path / "gateway" / "members" / name for name in ("dead", "living"))
    for folder in (dead, living):
        folder.mkdir(parents=True)
        (folder / "master.pid").touch()
    with (living / "master.pid").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        forget_dead_members(settings)
    assert (dead.exists(), living.exists()) == (False, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SLIPWAY_GATEWAY_PORT", "x"), ("SLIPWAY_GATEWAY_PORT", "70000"), ("SLIPWAY_GATEWAY_TLS_CERT", "/nowhere")],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings({name: value})


def test_messages_survive_any_cut() -> None:
    heard: list[FromMaster] = []
    link = Link(lambda message: heard.append(msgspec.json.decode(message, type=FromMaster)), lambda: None)
    sent = b""
    for message in (Confirmed("a"), Drain(3.0, True), Confirmed("b")):
        encoded = msgspec.json.encode(message)
        sent += len(encoded).to_bytes(4, "big") + encoded
    for at in range(len(sent)):
        link.data_received(sent[at : at + 1])
    assert heard == [Confirmed("a"), Drain(3.0, True), Confirmed("b")]


def test_a_log_file_is_rotated_and_keeps_a_few(tmp_path) -> None:
    file = RotatedFile(tmp_path / "logs" / "access.jsonl", max_bytes=100, keep=2)
    for number in range(12):
        file.append(f"{number}" * 60 + "\n")
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["access.jsonl.1", "access.jsonl.2"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"user": {"id": "x"}}', b'"x"'),
        (b'{"user": {"id": 7}}', b"7"),
        (b'{"user": {"id": [7]}}', None),
        (b'{"user": 3}', None),
        (b"nonsense", None),
        (b'{"user": {"id": "\xff"}}', None),
        (b"[" * 100_000, None),
    ],
)
def test_a_sticky_field_is_a_scalar_or_nothing(body: bytes, found: bytes | None) -> None:
    assert value_in_json(body, "user.id") == found


def test_the_access_log_has_azures_fields_and_no_key(rig: Rig) -> None:
    rig.plane.access_log = AccessLog(1.0, choose=lambda: 0.0)
    rig.publish(endpoint())
    client = rig.client()
    client.send(request(headers=b"user-agent: " + b"u" * 99 + b"\r\nx-ms-client-request-id: c1\r\n"))
    rig.now += 0.5
    rig.dialled[0].answer(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
    written = rig.plane.access_log.take()
    line = msgspec.json.decode(written)
    assert b"the-key" not in written
    assert (line["EndpointName"], line["DeploymentName"], line["InstanceId"]) == ("sample", "blue", "blue-7001")
    assert (line["ResponseCode"], line["ModelStatusCode"], line["XMSClientRequestId"]) == (424, 500, "c1")
    assert (line["TotalDurationMs"], len(line["UserAgent"])) == (500, 70)


def test_the_access_log_samples_successes_and_bounds_failures() -> None:
    log = AccessLog(0.25, choose=random.Random(3).random)
    assert 9_600 < sum(log.wants(200) for _ in range(40_000)) < 10_400
    assert sum(log.wants(500) for _ in range(1000)) == 200
    assert all(AccessLog(1, choose=lambda: 0.0).wants(200) for _ in range(3))
    assert not any(AccessLog(None, choose=lambda: 0.0).wants(status) for status in (200, 500))
