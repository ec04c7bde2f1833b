"""Environments built once per content and target, whoever asks first; the others wait for that one build.

The row is the queue: a builder claims it by compare-and-set and shows by a heartbeat that it lives; a build whose
heartbeat stopped is taken over.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q

from endpoints.backends.base import Permanent, Runtime
from endpoints.backends.docker_engine import engine_trouble
from endpoints.backends.docker_inventory import has_image
from endpoints.control import waking
from endpoints.control.clock import SYSTEM_CLOCK, Clock
from endpoints.control.targets import home
from endpoints.environments import BuildCanceled, BuildFailed, BuildResult, EnvironmentSpec
from endpoints.environments.builders import builder_for
from endpoints.models import EnvironmentBuild, EnvironmentVersion, OnlineDeployment
from endpoints.spec.errors import SlipwayError
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

logger = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
STALE_S = 8.0
# Builds are bound by network and compiler; the rest of the pool stays free for deployments. Each target has slots of
# its own, so that an engine that hangs holds up no virtual environment.
_AT_ONCE = max(2, os.cpu_count() or 2)
_slots = {target: threading.BoundedSemaphore(_AT_ONCE) for target in ("process", "docker")}

Build = Callable[[EnvironmentSpec, Callable[[], bool]], BuildResult]


def runtime_of(version: EnvironmentVersion, target: str, *, since: datetime, clock: Clock) -> Runtime | None:
    """What the version was built into, None while it is being built (a build is asked for where none is under way).

    since: a build that failed before that is tried once more. Raises Permanent where it failed after it.
    """
    build, _ = EnvironmentBuild.objects.get_or_create(key=version.build_key, target=target)
    if build.state == "Succeeded" and (runtime := _usable(build)):
        EnvironmentBuild.objects.filter(pk=build.pk).update(last_used_at=clock.now())
        return runtime
    if build.state in {"Failed", "Canceled"} and build.finished_at and build.finished_at >= since:
        raise Permanent(_failure_of(build))
    if build.state not in {"Queued", "Building"}:
        _requeue(build)
    if _is_waiting(build, clock):
        waking.wake(waking.BUILD_ENVIRONMENT, build.key, build.target)
    return None


def request(version: EnvironmentVersion, target: str = "process") -> EnvironmentBuild:
    """Have the version's content built now; a build that succeeded or is under way stays as it is.

    Inside a transaction the builder is woken when it commits.
    """
    build, _ = EnvironmentBuild.objects.get_or_create(key=version.build_key, target=target)
    if build.state in {"Failed", "Canceled"}:
        _requeue(build)
    transaction.on_commit(lambda: waking.wake(waking.BUILD_ENVIRONMENT, build.key, build.target))
    return build


def _requeue(build: EnvironmentBuild) -> None:
    """Back into the queue, unless somebody put it there meanwhile."""
    rows = EnvironmentBuild.objects.filter(pk=build.pk, state=build.state)
    rows.update(state="Queued", failure=None, result=None, finished_at=None)
    build.refresh_from_db()


def build_detail(version: EnvironmentVersion, target: str, *, since: datetime) -> str:
    """How long the build took, or that none was needed since the change was accepted."""
    build = EnvironmentBuild.objects.get(key=version.build_key, target=target)
    if not build.started_at or not build.finished_at or build.finished_at < since:
        return "cached"
    return f"built in {(build.finished_at - build.started_at).total_seconds():.1f} s"


def warnings_of(version: EnvironmentVersion, target: str) -> list[str]:
    rows = EnvironmentBuild.objects.filter(key=version.build_key, target=target)
    return rows.values_list("warnings", flat=True).first() or []


def build(key: str, target: str = "process", *, clock: Clock = SYSTEM_CLOCK, builder: Build | None = None) -> None:
    """Build what `key` names, unless it is built, being built, or nobody registered it. Wakes whoever waits for it.

    While its engine is away a build stays in the queue.
    """
    version = EnvironmentVersion.objects.filter(build_key=key).order_by("pk").first()
    if version is None or (builder is None and target == "docker" and engine_trouble()):
        return
    if not _slots[target].acquire(blocking=False):
        return
    try:
        if not _claim(key, target, clock):
            return
        _finish(key, target, _outcome(version, key, target, clock, builder or _builder_of(target)), clock)
    finally:
        _slots[target].release()
    _wake_waiting(key)
    wake_due(clock=clock)


def wake_due(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """Ask for the builds that nobody works on."""
    for key, target in EnvironmentBuild.objects.filter(_waiting(clock)).values_list("key", "target"):
        waking.wake(waking.BUILD_ENVIRONMENT, key, target)


def spec_of(version: EnvironmentVersion) -> EnvironmentSpec:
    return EnvironmentSpec(
        image=version.image,
        conda=version.conda,
        requirements=version.requirements,
        context_digest=version.context_digest,
        dockerfile_path=version.dockerfile_path,
        has_own_server=bool(version.inference_config),
    )


# One build -----------------------------------------------------------------------------------------------------


def _waiting(clock: Clock) -> Q:
    """Builds that can be claimed: queued ones, and those whose builder died."""
    is_stale = Q(heartbeat_at=None) | Q(heartbeat_at__lt=clock.now() - timedelta(seconds=STALE_S))
    return Q(state="Queued") | (Q(state="Building") & is_stale)


def _is_waiting(build: EnvironmentBuild, clock: Clock) -> bool:
    return EnvironmentBuild.objects.filter(_waiting(clock), pk=build.pk).exists()


def _claim(key: str, target: str, clock: Clock) -> bool:
    EnvironmentBuild.objects.get_or_create(key=key, target=target)
    now = clock.now()
    rows = EnvironmentBuild.objects.filter(_waiting(clock), key=key, target=target)
    return bool(rows.update(state="Building", started_at=now, heartbeat_at=now, finished_at=None, failure=None))


def _outcome(
    version: EnvironmentVersion, key: str, target: str, clock: Clock, builder: Build
) -> BuildResult | Failure | None:
    """The result, the failure, or None where the build was canceled."""
    with _heartbeat(key, target, clock) as is_cancelled:
        try:
            return builder(spec_of(version), is_cancelled)
        except BuildCanceled:
            return None
        except BuildFailed as failed:
            return failed.failure
        except SlipwayError as refused:
            return Failure(code=FailureCode.IMAGE_BUILD_FAILURE, message=refused.message)
        except Exception:
            failure_id = uuid.uuid4().hex[:12]
            logger.exception("Build of %s failed unexpectedly (%s)", key, failure_id)
            return Failure(
                code=FailureCode.INTERNAL_SERVER_ERROR,
                message=f"The environment could not be built because of an error in the studio ({failure_id}).",
                advice=f"Retry; if it stays, give the admin the number {failure_id}, which the worker's log explains.",
            )


def _builder_of(target: str) -> Build:
    """What the target's own builder does: a virtual environment for processes, an image for containers."""
    return lambda spec, is_cancelled: builder_for(target, home()).build(spec, is_cancelled=is_cancelled)


@contextmanager
def _heartbeat(key: str, target: str, clock: Clock) -> Iterator[Callable[[], bool]]:
    """Show that the builder lives; gives a function that says whether the build was canceled meanwhile."""
    is_over, is_cancelled = threading.Event(), threading.Event()
    rows = EnvironmentBuild.objects.filter(key=key, target=target, state="Building")

    def beat() -> None:
        try:
            while not is_over.wait(HEARTBEAT_S):
                try:
                    is_wanted = rows.update(heartbeat_at=clock.now())
                except DatabaseError as trouble:
                    logger.warning("Could not show that the build of %s goes on: %s", key, trouble)
                    continue
                if not is_wanted:
                    is_cancelled.set()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"build-{key[:8]}", daemon=True)
    thread.start()
    try:
        yield is_cancelled.is_set
    finally:
        is_over.set()
        thread.join()


def _finish(key: str, target: str, outcome: BuildResult | Failure | None, clock: Clock) -> None:
    rows = EnvironmentBuild.objects.filter(key=key, target=target, state="Building")
    now = clock.now()
    if isinstance(outcome, BuildResult):
        rows.update(
            state="Succeeded",
            python_requested=outcome.python_requested,
            python_used=outcome.python_used,
            warnings=list(outcome.warnings),
            result={"python": str(outcome.python or ""), "image": outcome.image, "bases": list(outcome.bases)},
            size_bytes=outcome.size_bytes,
            started_at=now if outcome.is_cached else F("started_at"),
            finished_at=now,
            last_used_at=now,
        )
    elif isinstance(outcome, Failure):
        rows.update(state="Failed", failure=msgspec.to_builtins(outcome), finished_at=now)
    else:
        rows.update(state="Canceled", finished_at=now)


def _wake_waiting(key: str) -> None:
    waiting = OnlineDeployment.objects.filter(
        revisions__environment_version__build_key=key, observed_generation__lt=F("generation")
    )
    for pk in waiting.values_list("pk", flat=True).distinct():
        waking.wake(waking.RECONCILE_DEPLOYMENT, pk)


def _usable(build: EnvironmentBuild) -> Runtime | None:
    """The runtime, None where its files or image are gone."""
    result = build.result or {}
    if image := result.get("image"):
        return Runtime(key=build.key, image=image) if has_image(image) else None
    python = Path(result.get("python") or "/nonexistent")
    return Runtime(key=build.key, python=python) if python.exists() else None


def _failure_of(build: EnvironmentBuild) -> Failure:
    if build.failure:
        return msgspec.convert(build.failure, Failure)
    return Failure(code=FailureCode.OPERATION_CANCELED, message="The build of the environment was canceled.")
