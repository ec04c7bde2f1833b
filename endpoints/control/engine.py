"""What lies on the Docker engine beside what the records want of it: orphaned, unused or broken, and how to mend it.

Only what carries this studio's labels or name is looked at, and only what nothing wants is removed.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from docker.errors import APIError, NotFound

from endpoints.backends.docker_engine import connect, engine_errors, engine_trouble, is_configured
from endpoints.backends.docker_inventory import Inventory, Thing, take_inventory
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.environments import STALE_S
from endpoints.control.targets import home
from endpoints.environments.image_map import image_map
from endpoints.models import DeploymentRevision, EnvironmentBuild, OnlineDeployment

logger = logging.getLogger(__name__)

_HALF_KEY = 32


class Condition(StrEnum):
    OK = "ok"
    ORPHANED = "orphaned"  # of something that has no record any more
    UNUSED = "unused"  # could be made again, and nothing needs it now
    BROKEN = "broken"  # a record counts on something that is not there


@dataclass(frozen=True, slots=True)
class Finding:
    """mend: what brings it in order, None where nothing is to be done. since: how old it is, for the grace."""

    kind: str
    name: str
    condition: Condition
    detail: str = ""
    since: datetime | None = None
    mend: Callable[[], None] | None = None


def examine(*, clock: Clock = SYSTEM_CLOCK) -> list[Finding]:
    """Everything of this studio on the engine, and what the records miss there. Raises Temporary where it is away."""
    inventory = take_inventory(home().studio_id)
    return [
        *_containers(inventory),
        *_builders(inventory, clock),
        *_networks(inventory),
        *_images(inventory),
        *_missing_images(inventory),
    ]


def collect(clock: Clock, *, grace: timedelta, images_kept: timedelta) -> None:
    """Remove what is orphaned after `grace`, and images that nothing used for `images_kept`."""
    if not is_configured():
        return
    for finding in examine(clock=clock):
        kept = images_kept if finding.condition is Condition.UNUSED else grace
        if finding.mend and finding.since and finding.since < clock.now() - kept:
            logger.info("Removing %s %s: %s", finding.kind, finding.name, finding.detail)
            finding.mend()


def trouble() -> str:
    """Why the engine cannot be used, "" where it can."""
    return engine_trouble()


def local_base() -> str:
    """The image environments are built on where none is named."""
    return image_map(os.environ).default


# What is there -------------------------------------------------------------------------------------------------


def _containers(inventory: Inventory) -> Iterator[Finding]:
    known = set(OnlineDeployment.objects.values_list("endpoint__name", "name"))
    for each in inventory.instances:
        owner = f"{each.endpoint}/{each.deployment}"
        if (each.endpoint, each.deployment) in known:
            yield Finding(each.kind, each.name, Condition.OK, f"{owner}, {each.state}")
        else:
            yield _orphan(each, f"no deployment {owner}", partial(_remove_container, each.name))


def _builders(inventory: Inventory, clock: Clock) -> Iterator[Finding]:
    fresh = clock.now() - timedelta(seconds=STALE_S)
    rows = EnvironmentBuild.objects.filter(target="docker", state="Building", heartbeat_at__gt=fresh)
    busy = {key[:_HALF_KEY] for key in rows.values_list("key", flat=True)}
    for each in inventory.builders:
        if each.name.rpartition("-")[2] in busy:
            yield Finding(each.kind, each.name, Condition.OK, "builds")
        else:
            yield _orphan(each, "its build is over", partial(_remove_container, each.name))


def _networks(inventory: Inventory) -> Iterator[Finding]:
    known = set(OnlineDeployment.objects.values_list("endpoint__name", flat=True))
    for each in inventory.networks:
        if each.endpoint in known:
            yield Finding(each.kind, each.name, Condition.OK, f"{each.endpoint}, {each.state}")
        else:
            yield _orphan(each, f"no deployments of {each.endpoint}", partial(_remove_network, each.name))


def _images(inventory: Inventory) -> Iterator[Finding]:
    in_use = {key[:_HALF_KEY] for key in keys_in_use()}
    rows = EnvironmentBuild.objects.filter(target="docker").values_list("key", "last_used_at")
    last_used = {key[:_HALF_KEY]: at for key, at in rows}
    for each in inventory.images:
        if each.key in in_use:
            yield Finding(each.kind, each.name, Condition.OK, "used")
        elif each.key in last_used:
            since = last_used[each.key] or each.created_at
            mend = _image_remover(each)
            yield Finding(each.kind, each.name, Condition.UNUSED, f"not used since {since:%Y-%m-%d}", since, mend)
        else:
            yield _orphan(each, "no build of it is on record", _image_remover(each))


def _missing_images(inventory: Inventory) -> Iterator[Finding]:
    there = {each.key for each in inventory.images}
    for build in EnvironmentBuild.objects.filter(target="docker", state="Succeeded"):
        if build.key[:_HALF_KEY] not in there:
            detail = "recorded as built, but the engine has no such image; it is built again when it is wanted"
            yield Finding("build", build.key[:12], Condition.BROKEN, detail, build.finished_at, _forget(build))


def keys_in_use() -> set[str]:
    """Build keys of every revision that may be started: the wanted one and the one that is known to work."""
    rows = DeploymentRevision.objects.values_list(
        "number", "deployment__revision", "deployment__observed_revision", "environment_version__build_key"
    )
    return {key for number, wanted, proven, key in rows if key and number in (wanted, proven)}


# Mending -------------------------------------------------------------------------------------------------------


def _orphan(thing: Thing, detail: str, mend: Callable[[], None]) -> Finding:
    return Finding(thing.kind, thing.name, Condition.ORPHANED, detail, thing.created_at, mend)


def _remove_container(name: str) -> None:
    with engine_errors(), contextlib.suppress(NotFound):
        connect().containers.get(name).remove(force=True, v=True)


def _remove_network(name: str) -> None:
    with engine_errors(), contextlib.suppress(NotFound):
        try:
            connect().networks.get(name).remove()
        except APIError as error:
            if "active endpoints" not in str(error.explanation):
                raise


def _image_remover(thing: Thing) -> Callable[[], None]:
    def remove() -> None:
        with engine_errors(), contextlib.suppress(NotFound):
            connect().images.remove(thing.name, force=True)
        EnvironmentBuild.objects.filter(target="docker", key__startswith=thing.key, state="Succeeded").delete()

    return remove


def _forget(build: EnvironmentBuild) -> Callable[[], None]:
    def forget() -> None:
        EnvironmentBuild.objects.filter(pk=build.pk, state="Succeeded").delete()

    return forget
