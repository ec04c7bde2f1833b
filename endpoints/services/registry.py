"""Models: registered once and immutable, archived, restored, downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from endpoints.assets import Tree
from endpoints.assets.download import iter_zip
from endpoints.assets.store import MissingAsset
from endpoints.models import Model, ModelVersion, Upload
from endpoints.selectors import get_model_version, model_versions
from endpoints.services import limits
from endpoints.services.mlflow_models import read_model
from endpoints.services.store import asset_store
from endpoints.services.uploads import get_upload
from endpoints.spec.documents import MLFLOW, FileLocation, LocationKind, ModelDocument
from endpoints.spec.errors import Conflict, FieldError, Invalid, Unavailable
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

_ATTEMPTS = 5


def register_model(
    actor: User,
    *,
    name: str,
    upload: Upload | UUID | str,
    version: str | None = None,
    type: str = "custom_model",  # noqa: A002  # the document's own word
    description: str = "",
    tags: Mapping[str, str] | None = None,
    properties: Mapping[str, str] | None = None,
) -> ModelVersion:
    """Register a completed upload as a new version; without `version` the next number.

    A version that exists with the same files is given back as it is; with other files it is a Conflict.
    """
    upload_id = upload.pk if isinstance(upload, Upload) else upload
    values: dict[str, object] = {"name": name, "path": f"upload:{upload_id}", "type": type, "description": description}
    values |= {"tags": dict(tags or {}), "properties": dict(properties or {})}
    if version:
        values["version"] = version
    return register_model_document(actor, document=ModelDocument.read(values))


def register_model_document(actor: User, *, document: ModelDocument) -> ModelVersion:
    """The same from a document whose `path` is an upload or a stored tree."""
    require(actor, actions.MODELS_WRITE)
    tree = tree_at(actor, document.path, field="path")
    limits.require_model_files(tree.file_count)
    if document.type == MLFLOW:
        read_model(tree.digest, field="path")
    row = save_model_version(actor, document, tree)
    audit.record(actor, actions.MODELS_WRITE, target=f"model {row}", summary="Register the model")
    return row


def tree_at(actor: User, location: FileLocation, *, field: str) -> Tree:
    """The stored tree a document's location names. A path is on somebody's machine, not on ours."""
    if location.kind is LocationKind.UPLOAD:
        upload = get_upload(actor, upload_id=location.value)
        if not upload.tree_digest:
            raise _invalid(field, "The upload is not complete; complete it first.")
        digest = upload.tree_digest
    elif location.kind is LocationKind.TREE:
        digest = location.value
    else:
        raise _invalid(field, f"{location.value!r} is a path on your machine: upload the files and name upload:<id>.")
    try:
        return asset_store().tree(digest)
    except MissingAsset:
        raise _invalid(field, "These files are no longer in the store; upload them again.") from None


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", details=[FieldError(field, message)])


def save_model_version(actor: User, document: ModelDocument, tree: Tree, *, is_anonymous: bool = False) -> ModelVersion:
    """Write the version's row. Two who take the next number at once get two numbers."""
    for attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                return _save_once(actor, document, tree, is_anonymous)
        except IntegrityError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _save_once(actor: User, document: ModelDocument, tree: Tree, is_anonymous: bool) -> ModelVersion:
    model, _ = Model.objects.get_or_create(name=document.name)
    model = Model.objects.select_for_update().get(pk=model.pk)
    version = document.version or next_version(model.versions.values_list("version", flat=True))
    existing = ModelVersion.objects.select_related("model", "created_by").filter(model=model, version=version).first()
    if existing:
        return _same_or_conflict(existing, document, tree)
    return ModelVersion.objects.create(
        model=model,
        version=version,
        type=document.type,
        description=document.description,
        tags=dict(document.tags),
        properties=dict(document.properties),
        tree_digest=tree.digest,
        root_name=tree.root_name,
        is_folder=tree.is_folder,
        size_bytes=tree.size_bytes,
        file_count=tree.file_count,
        is_anonymous=is_anonymous,
        created_by=actor,
    )


def _same_or_conflict(existing: ModelVersion, document: ModelDocument, tree: Tree) -> ModelVersion:
    if existing.tree_digest == tree.digest and existing.type == document.type:
        return existing
    raise Conflict(
        f"{existing} exists already and has other files. Versions never change: "
        "register another version, or leave the version out to take the next number.",
        details=[FieldError("version", f"Version {existing.version} is taken.")],
    )


def next_version(versions: Iterable[str]) -> str:
    """One more than the largest version that is a number; `1` for the first."""
    numbers = [int(version) for version in versions if version.isdecimal()]
    return str(max(numbers, default=0) + 1)


def archive_model(actor: User, *, name: str, version: str = "") -> list[ModelVersion]:
    """Hide one version, or with no version all of them, from lists and `@latest`. Deployments that use it go on."""
    return _set_archived(actor, name, version, is_archived=True)


def restore_model(actor: User, *, name: str, version: str = "") -> list[ModelVersion]:
    """Show archived versions again."""
    return _set_archived(actor, name, version, is_archived=False)


def _set_archived(actor: User, name: str, version: str, *, is_archived: bool) -> list[ModelVersion]:
    require(actor, actions.MODELS_WRITE)
    rows = _rows(actor, name, version)
    moment = timezone.now() if is_archived else None
    for row in rows:
        if (row.archived_at is None) == is_archived:
            row.archived_at = moment
            row.save(update_fields=["archived_at"])
            verb = "Archive" if is_archived else "Restore"
            audit.record(actor, actions.MODELS_WRITE, target=f"model {row}", summary=f"{verb} the model")
    return rows


def _rows(actor: User, name: str, version: str) -> list[ModelVersion]:
    return [get_model_version(actor, name, version)] if version else list(model_versions(actor, name))


def update_model(
    actor: User,
    *,
    name: str,
    version: str,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> ModelVersion:
    """Change what may change of a version: its description and tags. None leaves a thing as it is."""
    require(actor, actions.MODELS_WRITE)
    row = get_model_version(actor, name, version)
    before = {"description": row.description, "tags": row.tags}
    after = {
        "description": row.description if description is None else description,
        "tags": row.tags if tags is None else dict(tags),
    }
    for key, value in after.items():
        setattr(row, key, value)
    row.save(update_fields=["description", "tags"])
    summary, target = "Change description or tags", f"model {row}"
    audit.record(actor, actions.MODELS_WRITE, target=target, summary=summary, before=before, after=after)
    return row


@dataclass(frozen=True, slots=True)
class Download:
    """A file to send: `chunks` is made while it is read. size_bytes: None where it is not known beforehand."""

    file_name: str
    content_type: str
    chunks: Iterator[bytes]
    size_bytes: int | None = None


def open_model_archive(actor: User, *, name: str, version: str = "latest") -> Download:
    """The model's files as a zip whose top is the file or folder that was registered. Nothing is held in memory."""
    row = get_model_version(actor, name, version)
    try:
        chunks = iter_zip(asset_store(), row.tree_digest)
    except MissingAsset:
        raise Unavailable(f"The files of {row} are not in the store any more; restore the data folder.") from None
    return Download(f"{row.model.name}-{row.version}.zip", "application/zip", chunks)
