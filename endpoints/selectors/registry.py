"""Models and their versions. Permission is the workspace's, so a refusal says nothing about any name."""

from __future__ import annotations

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from endpoints.models import ModelVersion
from endpoints.spec.errors import NotFound
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require

LATEST = "latest"


def _versions(user: User) -> QuerySet[ModelVersion]:
    require(user, actions.MODELS_READ)
    return ModelVersion.objects.select_related("model", "created_by")


def models_for(
    user: User, *, include_archived: bool = False, include_anonymous: bool = False
) -> QuerySet[ModelVersion]:
    """The newest version of every model, newest first, annotated with `version_count`.

    Models with archived versions only are left out unless asked for; so are those made by inline deployments.
    """
    rows = _versions(user)
    shown = Q() if include_archived else Q(archived_at__isnull=True)
    newest = ModelVersion.objects.filter(shown, model=OuterRef("model")).order_by("-created_at", "-pk")
    rows = rows.filter(pk=Subquery(newest.values("pk")[:1]))
    if not include_anonymous:
        rows = rows.filter(is_anonymous=False)
    counted = Count("model__versions", filter=Q() if include_archived else Q(model__versions__archived_at__isnull=True))
    return rows.annotate(version_count=counted).order_by("-created_at", "-pk")


def model_versions(user: User, name: str, *, include_archived: bool = True) -> QuerySet[ModelVersion]:
    """All versions of one model, newest first. NotFound where there is no such model."""
    rows = _versions(user).filter(model__name=name)
    if not rows.exists():
        raise NotFound(f"There is no model named {name!r}.")
    return (rows if include_archived else rows.filter(archived_at__isnull=True)).order_by("-created_at", "-pk")


def get_model_version(user: User, name: str, version_or_label: str = LATEST) -> ModelVersion:
    """One version by number, or the newest that is not archived for the label `latest`."""
    rows = model_versions(user, name)
    if version_or_label == LATEST:
        row = rows.filter(archived_at__isnull=True).first()
        if row is None:
            raise NotFound(f"All versions of the model {name!r} are archived: name a version, or restore one.")
        return row
    row = rows.filter(version=version_or_label).first()
    if row is None:
        known = ", ".join(rows.values_list("version", flat=True)[:5])
        raise NotFound(f"The model {name!r} has no version {version_or_label!r}. Its newest versions: {known}.")
    return row
