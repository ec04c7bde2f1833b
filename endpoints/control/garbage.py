"""Removes what nobody needs any more. Everything is found from what lies there, never from a list of what was made.

Anything younger than its grace is left alone: it may belong to something that is just being written.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.db.models import Q

from endpoints.assets import AssetStore
from endpoints.backends import registry
from endpoints.backends.base import DeploymentRef, Permanent, Temporary
from endpoints.control import engine, log_retention
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.targets import home
from endpoints.environments import VenvBuilder
from endpoints.models import (
    DeploymentRevision,
    EnvironmentBuild,
    EnvironmentVersion,
    Instance,
    ModelVersion,
    OnlineDeployment,
    Upload,
)
from endpoints.selectors.studio_settings import setting
from studio.access import audit

logger = logging.getLogger(__name__)

YOUNG_S = 3600.0
UPLOADS_KEPT = timedelta(days=1)
# A complete one may be waiting in somebody's unfinished deployment.
COMPLETE_UPLOADS_KEPT = timedelta(days=30)
ENVIRONMENTS_KEPT = timedelta(days=30)


def collect(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """One round. A part that fails does not keep the others from their work."""
    parts: tuple[Callable[[Clock], None], ...] = (
        remove_orphans,
        remove_uploads,
        log_retention.keep_within_limits,
        remove_old_instances,
        forget_audit,
        remove_environments,
        remove_blobs,
        collect_backends,
        collect_engine,
    )
    for part in parts:
        try:
            part(clock)
        except Exception:
            logger.exception("Garbage collection: %s failed", part.__name__)


def remove_orphans(_: Clock) -> None:
    """Instances and files of deployments that have no record."""
    for folder in _deployment_folders():
        endpoint, deployment = folder.parent.name, folder.name
        if not OnlineDeployment.objects.filter(endpoint__name=endpoint, name=deployment).exists():
            logger.warning("Removing %s/%s from the host: no record of it", endpoint, deployment)
            registry.get_backend("process", home()).remove(DeploymentRef(endpoint, deployment))


def collect_backends(_: Clock) -> None:
    """What deployments shared and none uses any more."""
    for name in registry.backend_names():
        try:
            registry.get_backend(name, home()).collect_garbage(grace_s=YOUNG_S)
        except (Temporary, Permanent) as trouble:
            logger.warning("Backend %s could not collect its garbage: %s", name, trouble)


def collect_engine(clock: Clock) -> None:
    """Containers, networks and images on the Docker engine that nothing here wants."""
    try:
        engine.collect(clock, grace=timedelta(seconds=YOUNG_S), images_kept=ENVIRONMENTS_KEPT)
    except (Temporary, Permanent) as trouble:
        logger.warning("The Docker engine could not be tidied: %s", trouble)


def remove_uploads(clock: Clock) -> None:
    """Uploads nobody went on with. Complete ones are trees of the store; their rows only name them."""
    now = clock.now()
    broken_off = Q(tree_digest="", touched_at__lt=now - UPLOADS_KEPT)
    for upload in Upload.objects.filter(broken_off | Q(touched_at__lt=now - COMPLETE_UPLOADS_KEPT)):
        shutil.rmtree(home().upload(str(upload.pk)), ignore_errors=True)
        upload.delete()
    known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
    for folder in _folders(home().upload("x").parent):
        if folder.name not in known and _is_older(folder, clock.now() - UPLOADS_KEPT):
            shutil.rmtree(folder, ignore_errors=True)


def remove_old_instances(clock: Clock) -> None:
    """Rows and logs of instances that ended long ago, and logs of deployments that are gone."""
    horizon = clock.now() - timedelta(days=setting("log_days"))
    for instance in Instance.objects.filter(ended_at__lt=horizon).select_related("deployment__endpoint"):
        deployment = instance.deployment
        shutil.rmtree(
            home().deployment_logs(deployment.endpoint.name, deployment.name) / instance.pk, ignore_errors=True
        )
        instance.delete()
    known = set(OnlineDeployment.objects.values_list("endpoint__name", "name"))
    for endpoint in _folders(home().deployment_logs("x", "y").parent.parent):
        for folder in _folders(endpoint):
            if (endpoint.name, folder.name) not in known and _is_older(folder, horizon):
                shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(endpoint)


def forget_audit(clock: Clock) -> None:
    """Entries of the audit log that are older than they are to be kept; usually they are kept for good."""
    if days := setting("audit_days"):
        audit.forget_before(clock.now() - timedelta(days=days))


def remove_environments(clock: Clock) -> None:
    """Builds that no deployment uses and nobody used for long. They are built again when somebody wants them."""
    builder, in_use = VenvBuilder(home()), engine.keys_in_use()
    for stored in builder.stored():
        if stored.key not in in_use and stored.last_used_at < clock.now() - ENVIRONMENTS_KEPT:
            builder.remove(stored.key)
            EnvironmentBuild.objects.filter(key=stored.key, target="process").delete()


def remove_blobs(_: Clock) -> None:
    """Stored files that no model, code, build context or upload names."""
    AssetStore(home().blobs).collect(_live_digests(), grace_s=YOUNG_S)


def _live_digests() -> set[str]:
    digests = set(ModelVersion.objects.values_list("tree_digest", flat=True))
    digests |= set(DeploymentRevision.objects.values_list("code_digest", flat=True))
    digests |= set(EnvironmentVersion.objects.values_list("context_digest", flat=True))
    digests |= set(Upload.objects.values_list("tree_digest", flat=True))
    return digests - {""}


def _deployment_folders() -> Iterator[Path]:
    for endpoint in _folders(home().deployment("x", "y").parent.parent):
        yield from _folders(endpoint)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _is_older(path: Path, moment: datetime) -> bool:
    return path.stat().st_mtime < moment.timestamp()


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
