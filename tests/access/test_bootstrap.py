"""The first start."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from endpoints.spec.errors import Invalid
from studio.access.bootstrap import ensure_admin, ensure_connection
from studio.access.models import ApiToken, User


def test_the_first_start_makes_an_owner_with_a_password_nobody_chose(db: None) -> None:
    admin = ensure_admin()
    assert admin.is_new
    assert admin.user.is_superuser
    assert admin.password and len(admin.password) >= 16
    assert admin.user.check_password(admin.password)


def test_the_second_start_changes_and_tells_nothing(db: None) -> None:
    first = ensure_admin(password="correct horse battery")
    second = ensure_admin(password="something else entirely")
    assert (second.user.pk, second.password) == (first.user.pk, None)
    assert User.objects.get().check_password("correct horse battery")


def test_a_weak_password_is_refused_before_anything_is_made(db: None) -> None:
    with pytest.raises(Invalid, match="SLIPWAY_ADMIN_PASSWORD"):
        ensure_admin(password="admin")
    assert not User.objects.exists()


def test_the_command_line_gets_a_token_only_its_owner_can_read(tmp_path: Path, owner: User) -> None:
    file = tmp_path / "run" / "connection.json"
    ensure_connection(file, url="http://studio", user=owner)
    written = json.loads(file.read_text())
    assert written["url"] == "http://studio"
    assert file.stat().st_mode & 0o777 == 0o600
    ensure_connection(file, url="http://elsewhere", user=owner)
    assert json.loads(file.read_text()) == {"url": "http://elsewhere", "token": written["token"]}
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"token": 7}', '{"token": "no longer good"}'])
def test_a_damaged_connection_file_is_written_anew(tmp_path: Path, owner: User, damage: str) -> None:
    file = tmp_path / "connection.json"
    file.write_text(damage)
    ensure_connection(file, url="http://studio", user=owner)
    assert len(json.loads(file.read_text())["token"]) == 64


def test_the_launchers_command_answers_with_one_object(
    tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ADMIN_PASSWORD", "correct horse battery")
    out, file = StringIO(), tmp_path / "connection.json"
    call_command("studio_bootstrap", connection_file=file, stdout=out)
    assert json.loads(out.getvalue()) == {
        "created": True,
        "username": "admin",
        "password": "correct horse battery",
        "connection_file": str(file),
    }


def test_the_launchers_command_refuses_in_one_line(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ADMIN_PASSWORD", "123")
    with pytest.raises(CommandError, match="too short"):
        call_command("studio_bootstrap", stdout=StringIO())
