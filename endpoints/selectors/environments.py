"""Environments, their versions and what each content was built into. Permission is the workspace's."""

from __future__ import annotations

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from endpoints.models import EnvironmentBuild, EnvironmentVersion
from endpoints.selectors.registry import LATEST
from endpoints.spec.errors import NotFound
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require


def _versions(user: User) -> QuerySet[EnvironmentVersion]:
    require(user, actions.ENVIRONMENTS_READ)
    return EnvironmentVersion.objects.select_related("environment", "created_by")


def environments_for(
    user: User, *, include_archived: bool = False, include_anonymous: bool = False
) -> QuerySet[EnvironmentVersion]:
    """The newest version of every environment, newest first, annotated with `version_count` and `build_state`.

    build_state: of its content on any target, None where it was never built.
    """
    rows = _versions(user)
    shown = Q() if include_archived else Q(archived_at__isnull=True)
    newest = EnvironmentVersion.objects.filter(shown, environment=OuterRef("environment"))
    rows = rows.filter(pk=Subquery(newest.order_by("-created_at", "-pk").values("pk")[:1]))
    if not include_anonymous:
        rows = rows.filter(is_anonymous=False)
    live = Q() if include_archived else Q(environment__versions__archived_at__isnull=True)
    counted = rows.annotate(version_count=Count("environment__versions", filter=live))
    return _with_build_state(counted).order_by("-created_at", "-pk")


def environment_versions(user: User, name: str, *, include_archived: bool = True) -> QuerySet[EnvironmentVersion]:
    """All versions of one environment, newest first, with `build_state`. NotFound where there is none."""
    rows = _versions(user).filter(environment__name=name)
    if not rows.exists():
        raise NotFound(f"There is no environment named {name!r}.")
    rows = rows if include_archived else rows.filter(archived_at__isnull=True)
    return _with_build_state(rows).order_by("-created_at", "-pk")


def get_environment_version(user: User, name: str, version: str = LATEST) -> EnvironmentVersion:
    """One version by number, or the newest that is not archived for the label `latest`."""
    rows = environment_versions(user, name)
    if version == LATEST:
        row = rows.filter(archived_at__isnull=True).first()
        if row is None:
            raise NotFound(f"All versions of the environment {name!r} are archived: name a version, or restore one.")
        return row
    row = rows.filter(version=version).first()
    if row is None:
        known = ", ".join(rows.values_list("version", flat=True)[:5])
        raise NotFound(f"The environment {name!r} has no version {version!r}. Its newest versions: {known}.")
    return row


def build_of(user: User, environment_version: EnvironmentVersion) -> EnvironmentBuild | None:
    """What the version's content was built into, the newest build where there are several; None where never."""
    require(user, actions.ENVIRONMENTS_READ)
    builds = EnvironmentBuild.objects.filter(key=environment_version.build_key)
    return builds.order_by("-started_at", "-pk").first()


def _with_build_state(rows: QuerySet[EnvironmentVersion]) -> QuerySet[EnvironmentVersion]:
    builds = EnvironmentBuild.objects.filter(key=OuterRef("build_key")).order_by("-started_at", "-pk")
    return rows.annotate(build_state=Subquery(builds.values("state")[:1]))
