"""How the command line finds its studio."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from endpoints.cli.connection import Connection, find_connection
from endpoints.cli.failures import CommandFailed


def leave(folder: Path, url: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "connection.json").write_text(json.dumps({"url": url, "token": "t"}))


def test_the_environment_wins(tmp_path: Path):
    leave(tmp_path / ".slipway" / "run", "http://here")
    environment = {"SLIPWAY_URL": "https://there/", "SLIPWAY_TOKEN": "x", "HOME": str(tmp_path)}
    assert find_connection(environment, folder=tmp_path) == Connection("https://there", "x")


def test_a_token_may_stand_in_a_file(tmp_path: Path):
    (tmp_path / "token").write_text("x\n")
    environment = {"SLIPWAY_URL": "https://there", "SLIPWAY_TOKEN_FILE": str(tmp_path / "token")}
    assert find_connection(environment, folder=tmp_path).token == "x"


def test_a_studio_in_the_folder_or_above_is_found(tmp_path: Path):
    leave(tmp_path / ".slipway" / "run", "http://above")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_connection({"XDG_CONFIG_HOME": str(tmp_path)}, folder=below).url == "http://above"


def test_a_named_home_is_the_only_place_looked_at(tmp_path: Path):
    leave(tmp_path / ".slipway" / "run", "http://here")
    environment = {"SLIPWAY_HOME": str(tmp_path / "other"), "XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(CommandFailed, match="No studio was found"):
        find_connection(environment, folder=tmp_path)
    leave(tmp_path / "other" / "run", "http://other")
    assert find_connection(environment, folder=tmp_path).url == "http://other"


def test_the_studio_started_last_is_found_from_anywhere(tmp_path: Path):
    leave(tmp_path / "config" / "slipway", "http://last")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert find_connection({"XDG_CONFIG_HOME": str(tmp_path / "config")}, folder=empty).url == "http://last"


def test_a_url_without_a_token_says_where_to_get_one(tmp_path: Path):
    with pytest.raises(CommandFailed, match="SLIPWAY_TOKEN"):
        find_connection({"SLIPWAY_URL": "http://x", "XDG_CONFIG_HOME": str(tmp_path)}, folder=tmp_path)


def test_a_broken_file_is_named(tmp_path: Path):
    leave(tmp_path / ".slipway" / "run", "x")
    (tmp_path / ".slipway" / "run" / "connection.json").write_text("{")
    with pytest.raises(CommandFailed, match=r"connection\.json cannot be read"):
        find_connection({"XDG_CONFIG_HOME": str(tmp_path)}, folder=tmp_path)
