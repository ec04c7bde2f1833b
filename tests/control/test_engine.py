"""What the doctor finds on a real engine, and what garbage collection leaves alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import docker
import pytest
from django.core.management import call_command

from endpoints.control import engine as tidying
from endpoints.control import garbage
from endpoints.control.clock import SYSTEM_CLOCK
from endpoints.control.engine import Condition
from endpoints.models import EnvironmentBuild
from endpoints.spec.home import Home
from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.control.conftest import Studio

pytestmark = [pytest.mark.docker]


@pytest.fixture
def client(studio: Studio) -> Iterator[docker.DockerClient]:
    """The engine; whatever a test leaves of its studio goes."""
    client = engine()
    yield client
    mine = Home(studio.home).studio_id
    for label in (f"slipway.studio={mine}", f"slipway.builder-of={mine}"):
        for container in client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            container.remove(force=True)
    for network in client.networks.list(filters={"label": f"slipway.studio={mine}"}):
        network.remove()
    for image in client.images.list("slipway-environment"):
        for tag in image.tags:
            if tag.startswith(f"slipway-environment:{mine}-"):
                client.images.remove(tag, force=True)


def a_container(client: docker.DockerClient, studio: Studio, deployment: str) -> str:
    labels = {
        "slipway.studio": Home(studio.home).studio_id,
        "slipway.endpoint": "house",
        "slipway.deployment": deployment,
        "slipway.instance": "x",
        "slipway.revision": "1",
        "slipway.server": "s",
    }
    return str(client.containers.create(BASE_IMAGE, ["sleep", "60"], labels=labels).name)


def an_image(client: docker.DockerClient, studio: Studio, key: str) -> str:
    tag = f"slipway-environment:{Home(studio.home).studio_id}-{key[:32]}"
    client.images.get(BASE_IMAGE).tag(tag)
    return tag


def conditions() -> dict[str, Condition]:
    return {finding.name: finding.condition for finding in tidying.examine()}


def test_containers_of_deployments_on_record_are_well_and_others_orphaned(client, studio: Studio):
    studio.deployment()
    known, lost = a_container(client, studio, "blue"), a_container(client, studio, "gone")
    assert conditions() == {known: Condition.OK, lost: Condition.ORPHANED}


def test_orphans_go_after_their_grace_and_strangers_never(client, studio: Studio):
    lost = a_container(client, studio, "gone")
    stranger = client.containers.create(BASE_IMAGE, ["true"], labels={"slipway.studio": uuid.uuid4().hex[:12]})
    try:
        tidying.collect(SYSTEM_CLOCK, grace=timedelta(hours=1), images_kept=timedelta(days=30))
        assert client.containers.get(lost)
        tidying.collect(SYSTEM_CLOCK, grace=timedelta(seconds=-1), images_kept=timedelta(days=30))
        with pytest.raises(docker.errors.NotFound):
            client.containers.get(lost)
        assert client.containers.get(stranger.id)
    finally:
        stranger.remove(force=True)


def test_an_image_nothing_uses_is_kept_for_a_while_and_then_removed_with_its_record(client, studio: Studio):
    key = uuid.uuid4().hex * 2
    tag = an_image(client, studio, key)
    EnvironmentBuild.objects.create(
        key=key, target="docker", state="Succeeded", last_used_at=studio.clock.now() - timedelta(days=29)
    )
    kept = {"grace": timedelta(hours=1), "images_kept": timedelta(days=30)}
    tidying.collect(studio.clock, **kept)
    assert client.images.list(tag)
    EnvironmentBuild.objects.update(last_used_at=studio.clock.now() - timedelta(days=31))
    tidying.collect(studio.clock, **kept)
    assert not client.images.list(tag)
    assert not EnvironmentBuild.objects.filter(key=key).exists()


def test_a_build_without_its_image_is_broken_and_the_doctor_mends_it(client, studio: Studio, capsys):
    key = uuid.uuid4().hex * 2
    EnvironmentBuild.objects.create(key=key, target="docker", state="Succeeded", result={"image": "sha256:0"})
    assert conditions() == {key[:12]: Condition.BROKEN}
    with pytest.raises(SystemExit):
        call_command("doctor")
    assert "1 to mend: slipway doctor --fix" in capsys.readouterr().out
    call_command("doctor", fix=True)
    assert f"{key[:12]}: recorded as built" in capsys.readouterr().out
    assert conditions() == {}


def test_a_build_container_whose_builder_died_is_orphaned(client, studio: Studio):
    label = {"slipway.builder-of": Home(studio.home).studio_id}
    name = f"slipway-build-{Home(studio.home).studio_id}-{uuid.uuid4().hex}"
    client.containers.create(BASE_IMAGE, ["true"], labels=label, name=name)
    assert conditions() == {name: Condition.ORPHANED}
    call_command("doctor", fix=True)
    assert conditions() == {}


def test_an_engine_that_is_away_is_told_and_stops_nothing_else(studio: Studio, monkeypatch, capsys, caplog):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{studio.home}/none.sock")
    garbage.collect_engine(studio.clock)
    assert "does not answer" in caplog.text
    with pytest.raises(SystemExit):
        call_command("doctor")
    assert "The Docker engine does not answer" in capsys.readouterr().out
