"""What a studio has on its engine, found by label and by name; nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import docker

from endpoints.backends.docker_engine import connect, engine_errors

IMAGES = "slipway-environment"


@dataclass(frozen=True, slots=True)
class Thing:
    """A container, network or image of ours.

    key: of an image, the first half of its build key. endpoint, deployment: as its labels say, "" where it has none.
    """

    kind: str
    name: str
    created_at: datetime
    state: str = ""
    endpoint: str = ""
    deployment: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    instances: tuple[Thing, ...]
    builders: tuple[Thing, ...]
    networks: tuple[Thing, ...]
    images: tuple[Thing, ...]


def take_inventory(studio_id: str, *, client: docker.DockerClient | None = None) -> Inventory:
    """Everything of the studio. Raises Temporary where the engine does not answer."""
    with engine_errors():
        client = client or connect()
        return Inventory(
            instances=_containers(client, f"slipway.studio={studio_id}", "container"),
            builders=_containers(client, f"slipway.builder-of={studio_id}", "build container"),
            networks=_networks(client, studio_id),
            images=_images(client, studio_id),
        )


def has_image(image: str) -> bool:
    """Whether the engine has the image. Raises Temporary where it does not answer."""
    with engine_errors():
        try:
            connect().images.get(image)
        except docker.errors.NotFound:
            return False
    return True


def _containers(client: docker.DockerClient, label: str, kind: str) -> tuple[Thing, ...]:
    found = client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
    return tuple(
        Thing(
            kind=kind,
            name=each.name,
            created_at=_moment(each.attrs["Created"]),
            state=each.status,
            endpoint=each.labels.get("slipway.endpoint", ""),
            deployment=each.labels.get("slipway.deployment", ""),
        )
        for each in found
    )


def _networks(client: docker.DockerClient, studio_id: str) -> tuple[Thing, ...]:
    found = client.networks.list(filters={"label": f"slipway.studio={studio_id}"}, greedy=True)
    return tuple(
        Thing(
            kind="network",
            name=each.name,
            created_at=_moment(each.attrs["Created"]),
            state="in use" if each.attrs.get("Containers") else "idle",
            endpoint=(each.attrs.get("Labels") or {}).get("slipway.endpoint", ""),
        )
        for each in found
    )


def _images(client: docker.DockerClient, studio_id: str) -> tuple[Thing, ...]:
    prefix = f"{IMAGES}:{studio_id}-"
    things = []
    for image in client.images.list(IMAGES):
        for tag in image.tags:
            if tag.startswith(prefix):
                key = tag.removeprefix(prefix).removesuffix("-context")
                things.append(Thing(kind="image", name=tag, created_at=_moment(image.attrs["Created"]), key=key))
    return tuple(things)


def _moment(text: str) -> datetime:
    """The engine's time stamps: RFC 3339 with nanoseconds, in UTC or with an offset."""
    head, rest = text[:19], text[19:].lstrip(".0123456789")
    return datetime.fromisoformat(head + ("+00:00" if rest in ("", "Z") else rest)).astimezone(UTC)
