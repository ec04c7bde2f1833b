"""Log lines of deployments and builds, for whoever may read them; where they lie, for those who follow them.

Lines outlive their instances. The files are the truth; no row is asked which instances there were.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from django.conf import settings

from endpoints.backends.instance_logs import INFERENCE_SERVER, STORAGE_INITIALIZER, InstanceLogs
from endpoints.models import EnvironmentVersion, OnlineDeployment
from endpoints.selectors.online import authorised_endpoint
from endpoints.spec.dropped_logs import Dropped, dropped_of
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.followed_logs import Source, follow
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogFilter, LogLine, merge, read, tail
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require

Sources = Callable[[], Sequence[Source]]

CONTAINERS = (INFERENCE_SERVER, STORAGE_INITIALIZER)
_INSTANCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def log_sources(
    user: User, deployment: OnlineDeployment, *, instance_id: str = "", container: str = INFERENCE_SERVER
) -> Sources:
    """Where the logs lie: of one instance, or of all there are and were; asked again, it knows newer ones too."""
    authorised_endpoint(user, deployment.endpoint.name, actions.LOGS_READ)
    if container not in CONTAINERS:
        raise _invalid("container", f"There is no container {container!r}; there are {' and '.join(CONTAINERS)}.")
    if instance_id and not _INSTANCE_ID.fullmatch(instance_id):
        raise _invalid("instance_id", f"{instance_id!r} is not the id of an instance.")
    folder = Home(settings.SLIPWAY_HOME).deployment_logs(deployment.endpoint.name, deployment.name)
    return InstanceLogs(folder, instance_id=instance_id or None, container=container).sources


def dropped_logs(user: User, deployment: OnlineDeployment) -> Dropped | None:
    """What the studio dropped of the deployment's logs, by age or size."""
    authorised_endpoint(user, deployment.endpoint.name, actions.LOGS_READ)
    return dropped_of(Home(settings.SLIPWAY_HOME).deployment_logs(deployment.endpoint.name, deployment.name))


def build_log_sources(user: User, environment_version: EnvironmentVersion) -> Sources:
    """Where the logs of the version's builds lie: one file for processes and one for containers, where there is one."""
    require(user, actions.ENVIRONMENTS_READ)
    key, folder = environment_version.build_key, Home(settings.SLIPWAY_HOME).environments
    return lambda: [Source(folder / name / "build.jsonl") for name in (key, f"{key}.image")]


def deployment_logs(
    user: User,
    deployment: OnlineDeployment,
    *,
    instance_id: str = "",
    container: str = INFERENCE_SERVER,
    lines: int | None = None,
    since: datetime | None = None,
    follow: bool = False,
    request_id: str = "",
    level: str = "",
    text: str = "",
) -> Iterator[LogLine]:
    """Lines, oldest first; the last `lines` of those that match; with `follow` it goes on, blocking, until closed."""
    sources = log_sources(user, deployment, instance_id=instance_id, container=container)
    where = LogFilter(level=level, text=text, request_id=request_id, since=since)
    return _lines(sources, where=where, lines=lines, is_followed=follow)


def build_log(
    user: User,
    environment_version: EnvironmentVersion,
    *,
    follow: bool = False,
    lines: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[LogLine]:
    """The build's lines; with `follow` until `is_over()`, blocking."""
    sources = build_log_sources(user, environment_version)
    return _lines(sources, where=LogFilter(), lines=lines, is_followed=follow, is_over=is_over)


def _lines(
    sources: Sources,
    *,
    where: LogFilter,
    lines: int | None,
    is_followed: bool,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[LogLine]:
    if is_followed:
        return follow(sources, where=where, lines=lines, is_over=is_over)
    found = [read(one.path, instance_id=one.instance_id, where=where, lines=lines) for one in sources()]
    return merge(found) if lines is None else iter(tail(found, lines))


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, details=[FieldError(field, message)])
