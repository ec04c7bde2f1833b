"""Flags over environment over defaults."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from studio.launcher.options import MAX_SOCKET_PATH_BYTES, read_options


def test_defaults_are_the_documented_ports():
    options = read_options([], {})
    assert (options.port, options.gateway_port, options.bind) == (8000, 8080, "127.0.0.1")
    assert options.has_sample and not options.is_keeping_models and options.is_redis_embedded


def test_the_environment_moves_ports_and_home(tmp_path):
    options = read_options([], {"SLIPWAY_PORT": "9000", "SLIPWAY_GATEWAY_PORT": "9001", "SLIPWAY_HOME": str(tmp_path)})
    assert (options.port, options.gateway_port, options.home.root) == (9000, 9001, tmp_path)


def test_a_flag_wins_over_the_environment():
    assert read_options(["--port", "7000", "--no-sample"], {"SLIPWAY_PORT": "9000"}).port == 7000


def test_a_redis_of_ones_own_is_used_instead_of_the_embedded_one():
    options = read_options([], {"SLIPWAY_REDIS_URL": "redis://127.0.0.1:6379/0"})
    assert not options.is_redis_embedded
    assert options.child_environment()["SLIPWAY_REDIS_URL"] == "redis://127.0.0.1:6379/0"


@pytest.fixture
def short_folder():
    """pytest's own folders may be too long for a socket themselves."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        yield Path(folder)


def test_a_home_too_deep_for_a_socket_puts_the_socket_elsewhere(short_folder, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    deep = Path("/") / ("d" * 60) / ("e" * 60)
    socket_path = read_options(["--home", str(deep)], {}).redis_url.removeprefix("unix://")
    assert socket_path.startswith(str(short_folder))
    assert len(socket_path) <= MAX_SOCKET_PATH_BYTES


def test_an_unknown_flag_is_a_usage_error():
    with pytest.raises(SystemExit) as ended:
        read_options(["--nonsense"], {})
    assert ended.value.code == 2
