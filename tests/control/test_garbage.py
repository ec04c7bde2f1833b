"""What is removed, and what is left alone."""

from __future__ import annotations

import io
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from endpoints.assets import AssetStore
from endpoints.backends import registry
from endpoints.backends.process import ProcessBackend
from endpoints.control import garbage
from endpoints.models import EnvironmentBuild, Instance, Upload
from endpoints.spec.home import Home
from tests.control.conftest import Studio


@pytest.fixture
def home(studio: Studio) -> Home:
    return Home(studio.home)


@pytest.fixture
def store(home: Home) -> AssetStore:
    return AssetStore(home.blobs)


def age(path: Path, days: float) -> None:
    """Make a file or folder look old."""
    then = path.stat().st_mtime - days * 86400
    os.utime(path, (then, then))


def test_files_of_a_deployment_without_a_record_are_removed(studio: Studio, home: Home, monkeypatch):
    monkeypatch.setitem(registry._MAKERS, "process", ProcessBackend)
    studio.deployment()
    for name in ("blue", "gone"):
        (home.deployment("house", name) / "rev-1").mkdir(parents=True)
    garbage.remove_orphans(studio.clock)
    assert [path.name for path in home.deployment("house", "x").parent.iterdir()] == ["blue"]


def test_a_complete_upload_waits_for_an_unfinished_deployment(studio: Studio, home: Home):
    upload = Upload.objects.create(purpose="model", tree_digest="ab" * 32)
    Upload.objects.filter(pk=upload.pk).update(touched_at=studio.clock.now() - timedelta(days=29))
    garbage.remove_uploads(studio.clock)
    assert Upload.objects.filter(pk=upload.pk).exists()
    Upload.objects.filter(pk=upload.pk).update(touched_at=studio.clock.now() - timedelta(days=31))
    garbage.remove_uploads(studio.clock)
    assert not Upload.objects.filter(pk=upload.pk).exists()


def test_uploads_nobody_went_on_with_are_removed(studio: Studio, home: Home):
    old, young = Upload.objects.create(purpose="model"), Upload.objects.create(purpose="model")
    Upload.objects.filter(pk=old.pk).update(touched_at=studio.clock.now() - timedelta(days=2))
    for upload in (old, young):
        home.upload(str(upload.pk)).mkdir(parents=True)
    garbage.remove_uploads(studio.clock)
    assert list(Upload.objects.all()) == [young]
    assert [path.name for path in home.upload("x").parent.iterdir()] == [str(young.pk)]


def test_files_that_nothing_names_are_removed_after_their_grace(studio: Studio, home: Home, store: AssetStore):
    kept = store.add_file(io.BytesIO(b"kept"), root_name="a")
    lost = store.add_file(io.BytesIO(b"lost"), root_name="b")
    Upload.objects.create(purpose="model", tree_digest=kept.digest)
    garbage.remove_blobs(studio.clock)
    assert store.has(lost.digest)
    for path in home.blobs.rglob("*"):
        age(path, 1)
    garbage.remove_blobs(studio.clock)
    assert (store.has(kept.digest), store.has(lost.digest)) == (True, False)


def test_environments_unused_for_long_are_removed_but_not_those_of_a_deployment(studio: Studio, home: Home):
    used, unused = studio.environment(), studio.environment()
    studio.deployment(environment=used)
    for version in (used, unused):
        folder = home.environments / version.build_key
        folder.mkdir(parents=True)
        (folder / "build.json").write_text(json.dumps(_marker(version.build_key)))
        (folder / "last-used").touch()
        age(folder / "last-used", 31)
    garbage.remove_environments(studio.clock)
    assert (home.environments / used.build_key).exists()
    assert not (home.environments / unused.build_key / "build.json").exists()
    assert [row.key for row in EnvironmentBuild.objects.all()] == [used.build_key]


def test_rows_and_logs_of_instances_long_gone_are_removed(studio: Studio, home: Home):
    blue = studio.reconcile(studio.deployment())
    old = Instance.objects.create(
        id="blue-old", deployment=blue, revision=1, state="Stopped", ended_at=studio.clock.now() - timedelta(days=8)
    )
    logs = home.deployment_logs("house", "blue")
    (logs / old.pk).mkdir(parents=True)
    garbage.remove_old_instances(studio.clock)
    assert not (logs / old.pk).exists()
    assert [row.state for row in Instance.objects.all()] == ["Ready"]


def test_logs_of_deployments_that_are_gone_are_kept_for_a_while(studio: Studio, home: Home):
    logs = home.deployment_logs("house", "gone")
    logs.mkdir(parents=True)
    garbage.remove_old_instances(studio.clock)
    assert logs.exists()
    age(logs, 8)
    garbage.remove_old_instances(studio.clock)
    assert not logs.parent.exists()


def test_a_part_that_fails_does_not_keep_the_others_from_their_work(studio: Studio, home: Home, monkeypatch, caplog):
    monkeypatch.setattr(garbage, "VenvBuilder", lambda _: 1 / 0)
    upload = Upload.objects.create(purpose="model")
    Upload.objects.update(touched_at=studio.clock.now() - timedelta(days=2))
    garbage.collect(clock=studio.clock)
    assert "remove_environments failed" in caplog.text
    assert not Upload.objects.filter(pk=upload.pk).exists()


def _marker(key: str) -> dict[str, object]:
    return {
        "key": key,
        "python_requested": "",
        "python_used": "3.11.7",
        "warnings": [],
        "size_bytes": 1,
        "seconds": 1.0,
        "built_at": "2026-01-01T00:00:00Z",
    }
