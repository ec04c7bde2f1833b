"""pip's configured indexes, handed to uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from endpoints.environments.package_index import environment_for_uv, without_credentials


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "venv"


def translated(prefix: Path, **environ: str) -> dict[str, str]:
    base = {
        "HOME": str(prefix.parent),
        "PIP_CONFIG_FILE": str(prefix.parent / "pip.conf"),
        "XDG_CONFIG_DIRS": "/nowhere",
    }
    return environment_for_uv({**base, **environ}, prefix=prefix)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_configured_mirror_is_used(prefix: Path):
    write(
        prefix.parent / "pip.conf",
        "[global]\nindex-url = https://u:p@mirror.example/simple\n"
        "extra-index-url =\n  https://a.example\n  https://b.example\n"
        "find-links = /wheels https://w.example\ntrusted-host = mirror.example\n"
        "cert = /etc/company.pem\ntimeout = 60\n",
    )
    found = translated(prefix)
    assert found["UV_DEFAULT_INDEX"] == "https://u:p@mirror.example/simple"
    assert found["UV_EXTRA_INDEX_URL"] == "https://a.example https://b.example"
    assert found["UV_FIND_LINKS"] == "/wheels,https://w.example"
    assert (found["UV_INSECURE_HOST"], found["SSL_CERT_FILE"]) == ("mirror.example", "/etc/company.pem")
    assert found["UV_HTTP_TIMEOUT"] == "60"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"  # what pip does with several indexes


def test_the_particular_wins_over_the_general(prefix: Path):
    write(prefix.parent / ".config/pip/pip.conf", "[global]\nindex-url = https://user.example\ntimeout = 1\n")
    write(
        prefix.parent / "pip.conf",
        "[global]\nindex-url = https://g.example\n[install]\nindex_url = https://i.example\n",
    )
    found = translated(prefix)
    assert (found["UV_DEFAULT_INDEX"], found["UV_HTTP_TIMEOUT"]) == ("https://i.example", "1")
    assert translated(prefix, PIP_INDEX_URL="https://e.example")["UV_DEFAULT_INDEX"] == "https://e.example"


@pytest.mark.parametrize("name", ["UV_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_what_is_set_for_uv_wins(prefix: Path, name: str):
    found = translated(prefix, PIP_INDEX_URL="https://pip.example", **{name: "https://uv.example"})
    assert found[name] == "https://uv.example"
    assert "https://pip.example" not in found.values() or found.get("PIP_INDEX_URL") == "https://pip.example"
    assert found.get("UV_DEFAULT_INDEX") in {None, "https://uv.example"}


def test_without_any_setting_uv_is_left_alone(prefix: Path):
    found = translated(prefix, PIP_CONFIG_FILE="/dev/null")
    assert not {"UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "SSL_CERT_FILE"} & set(found)


def test_a_broken_configuration_file_is_passed_over(prefix: Path):
    write(prefix.parent / "pip.conf", "index-url = no section\n")
    assert "UV_DEFAULT_INDEX" not in translated(prefix)


def test_the_studios_own_environment_and_secrets_are_not_handed_on(prefix: Path):
    found = translated(prefix, VIRTUAL_ENV="/studio", PYTHONPATH="/studio", SLIPWAY_SECRET_KEY="s")
    assert not {"VIRTUAL_ENV", "PYTHONPATH", "SLIPWAY_SECRET_KEY"} & set(found)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Looking at https://user:pass@host.example/simple now", "Looking at https://***@host.example/simple now"),
        ("git+ssh://token@git.example/x", "git+ssh://***@git.example/x"),
        ("https://host.example/a@b", "https://host.example/a@b"),
    ],
)
def test_credentials_are_taken_out_of_urls(text: str, clean: str):
    assert without_credentials(text) == clean
