"""What must hold before a studio starts."""

from __future__ import annotations

import socket

import pytest

from studio.launcher.checks import CannotStart, answers_http, ensure_port_free, redis_binary


def test_a_taken_port_is_named_with_what_wanted_it_and_the_setting_that_moves_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart) as refusal:
            ensure_port_free("127.0.0.1", port, purpose="the gateway", variable="SLIPWAY_GATEWAY_PORT")
    assert str(refusal.value) == f"port {port} (the gateway) is taken; free it or set SLIPWAY_GATEWAY_PORT"


def test_a_free_port_is_no_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ensure_port_free("127.0.0.1", port, purpose="the studio", variable="SLIPWAY_PORT")


def test_without_a_redis_on_path_the_one_in_the_wheel_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_binary().endswith("redis-server")


def test_nobody_listening_is_not_ready():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not answers_http(f"http://127.0.0.1:{port}/healthz")
