"""Logs within their age and size: the oldest go first, what is written to stays, and what went is noted."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from endpoints.control.log_retention import LogFile, keep_within_limits, too_many, too_old
from endpoints.models import Instance, StudioSetting
from endpoints.spec.dropped_logs import Dropped, dropped_of
from endpoints.spec.home import Home
from tests.control.conftest import Studio

NOW = datetime(2026, 1, 31, tzinfo=UTC)
KIB, MIB = 1024, 1024**2


def file(name: str, *, days: float, size: int = 10, is_written: bool = False) -> LogFile:
    return LogFile(Path(name), Path(), size, NOW - timedelta(days=days), is_written)


def names(files: list[LogFile]) -> list[str]:
    return [str(one.path) for one in files]


def test_the_oldest_go_until_the_rest_fits():
    files = [file("new", days=1), file("old", days=3), file("older", days=5)]
    assert names(too_many(files, limit_bytes=20)) == ["older"]
    assert names(too_many(files, limit_bytes=5)) == ["older", "old", "new"]
    assert too_many(files, limit_bytes=30) == too_many(files, limit_bytes=0) == []


def test_what_is_written_to_stays_whatever_its_size():
    files = [file("running", days=9, size=1000, is_written=True), file("rotated", days=1)]
    assert names(too_many(files, limit_bytes=20)) == ["rotated"]
    assert too_old(files, horizon=NOW - timedelta(days=7)) == []


@pytest.fixture
def logs(studio: Studio) -> Path:
    """The folder of a deployment with one running instance and two that are gone."""
    blue = studio.deployment()
    folder = Home(studio.home).deployment_logs("house", "blue")
    for name, days, ended in (("running", 0.0, False), ("young", 1.0, True), ("old", 2.0, True)):
        ended_at = studio.clock.now() if ended else None
        Instance.objects.create(id=name, deployment=blue, revision=1, ended_at=ended_at)
        write(folder / name / "inference-server.jsonl", days, studio)
    write(folder / "running" / "inference-server.jsonl.1", 5.0, studio)
    return folder


def write(path: Path, days: float, studio: Studio, *, size: int = 400 * KIB) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    at = (studio.clock.now() - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))


def left(folder: Path) -> set[str]:
    return {f"{path.parent.name}{path.suffix}" for path in folder.rglob("*.jsonl*")}


def test_a_deployments_logs_are_kept_within_its_size(logs: Path, studio: Studio):
    StudioSetting.objects.create(name="log_mib_per_deployment", value=1)
    keep_within_limits(studio.clock)
    assert left(logs) == {"running.jsonl", "young.jsonl"}
    assert not (logs / "old").exists()


def test_what_was_dropped_is_noted(logs: Path, studio: Studio):
    StudioSetting.objects.create(name="log_mib_per_deployment", value=1)
    keep_within_limits(studio.clock)
    note = dropped_of(logs)
    assert isinstance(note, Dropped)
    assert (note.size_bytes, note.files, note.why) == (800 * KIB, 2, "beyond 1 MiB")
    assert abs(note.until - (studio.clock.now() - timedelta(days=2))) < timedelta(seconds=1)


def test_all_deployments_together_are_kept_within_a_size(logs: Path, studio: Studio):
    other = Home(studio.home).deployment_logs("house", "green") / "g" / "inference-server.jsonl"
    studio.deployment("green")
    write(other, 9.0, studio, size=MIB)
    StudioSetting.objects.create(name="log_mib_total", value=1)
    StudioSetting.objects.create(name="log_days", value=30)
    keep_within_limits(studio.clock)
    assert not other.exists()
    assert left(logs) == {"running.jsonl", "young.jsonl"}


def test_logs_are_kept_for_as_many_days_as_set(logs: Path, studio: Studio):
    StudioSetting.objects.create(name="log_days", value=2)
    studio.clock.sleep(3600)
    keep_within_limits(studio.clock)
    assert left(logs) == {"running.jsonl", "young.jsonl"}


def test_within_the_limits_nothing_goes(logs: Path, studio: Studio):
    keep_within_limits(studio.clock)
    assert len(left(logs)) == 4
    assert dropped_of(logs) is None


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path):
    (tmp_path / "dropped.json").write_text("{", encoding="utf-8")
    assert dropped_of(tmp_path) is None
