"""Environments: registered once and immutable, archived, restored; a build may be asked for before it is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import msgspec
import yaml
from django.db import IntegrityError, transaction
from django.utils import timezone

from endpoints.control import environments as builds
from endpoints.environments import EnvironmentSpec, build_key
from endpoints.models import Environment, EnvironmentBuild, EnvironmentVersion, Upload
from endpoints.selectors import environment_versions, get_environment_version
from endpoints.selectors.studio_settings import setting
from endpoints.services.registry import next_version, tree_at
from endpoints.spec.documents import EnvironmentContent, EnvironmentDocument
from endpoints.spec.errors import Conflict, FieldError, Invalid, LimitExceeded
from endpoints.spec.schema import to_json
from endpoints.spec.yaml_reader import read_yaml
from studio.access import actions, audit
from studio.access.models import User
from studio.access.policy import require

_ATTEMPTS = 5
MAX_FILE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """An environment's document with its files read: what a version is made of. `key` names its build."""

    spec: EnvironmentSpec
    conda_text: str
    key: str
    inference_config: dict[str, object] | None
    os_type: str


def register_environment(
    actor: User,
    *,
    name: str,
    version: str | None = None,
    image: str = "",
    conda_text: str = "",
    requirements: str = "",
    context: Upload | UUID | str | None = None,
    dockerfile_path: str = "Dockerfile",
    inference_config: Mapping[str, object] | None = None,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    properties: Mapping[str, str] | None = None,
) -> EnvironmentVersion:
    """Register an environment; without `version` the next number.

    A version that exists with the same content is given back as it is; with other content it is a Conflict.
    """
    values: dict[str, object] = {"name": name, "description": description}
    values |= {"tags": dict(tags or {}), "properties": dict(properties or {})}
    optional = {
        "version": version,
        "image": image,
        "conda_file": _as_text(conda_text),
        "requirements_file": _as_text(requirements),
        "inference_config": inference_config,
    }
    values |= {key: value for key, value in optional.items() if value}
    if context:
        upload_id = context.pk if isinstance(context, Upload) else context
        values["build"] = {"path": f"upload:{upload_id}", "dockerfile_path": dockerfile_path}
    return register_environment_document(actor, document=EnvironmentDocument.read(values))


def _as_text(text: str) -> str:
    """A file's text has a line end, by which documents tell it from a path."""
    return text if not text.strip() or "\n" in text else f"{text}\n"


def register_environment_document(actor: User, *, document: EnvironmentDocument) -> EnvironmentVersion:
    """The same from a document whose files are given as text, as a mapping or as uploads."""
    require(actor, actions.ENVIRONMENTS_WRITE)
    content = read_content(actor, document)
    row = save_environment_version(actor, document, content, name=document.name, version=document.version)
    audit.record(actor, actions.ENVIRONMENTS_WRITE, target=f"environment {row}", summary="Register the environment")
    return row


def read_content(actor: User, document: EnvironmentContent, *, at: str = "") -> Content:
    """Resolve the document's files and check what they say; `at` is where it stands in a larger document."""
    conda, conda_text = _conda(document, at)
    context_digest, dockerfile_path = _context(actor, document, at)
    spec = EnvironmentSpec(
        image=document.image,
        conda=conda,
        requirements=_file_text(document.requirements_file or "", f"{at}requirements_file"),
        context_digest=context_digest,
        dockerfile_path=dockerfile_path,
        has_own_server=document.inference_config is not None,
    )
    config = to_json(document.inference_config) if document.inference_config else None
    return Content(spec, conda_text, build_key(spec), config, document.os_type)


def _conda(document: EnvironmentContent, at: str) -> tuple[Mapping[str, object] | None, str]:
    """The conda file parsed, and as it was written."""
    given = document.conda_file
    if given is None:
        return None, ""
    if isinstance(given, Mapping):
        return given, yaml.safe_dump(dict(given), sort_keys=False)
    text = _file_text(given, f"{at}conda_file")
    try:
        return read_yaml(text).values, text
    except Invalid as refusal:
        details = [FieldError(f"{at}conda_file", each.message, each.line) for each in refusal.details]
        raise Invalid(f"{at}conda_file: {refusal.message}", details=details) from refusal


def _file_text(given: str, field: str) -> str:
    """A file's text as sent with the document; a bare path is on somebody's machine, not on ours."""
    if given and "\n" not in given:
        message = f"{given!r} is a path on your machine; send the file's text instead."
        raise Invalid(f"{field}: {message}", details=[FieldError(field, message)])
    if len(given.encode()) > MAX_FILE_BYTES:
        message = f"The file is larger than {MAX_FILE_BYTES // 1024} KiB."
        raise LimitExceeded(f"{field}: {message}", details=[FieldError(field, message)])
    return given


def _context(actor: User, document: EnvironmentContent, at: str) -> tuple[str, str]:
    if document.build is None:
        return "", ""
    field = f"{at}build.path"
    tree = tree_at(actor, document.build.path, field=field)
    most_files, most_bytes = setting("build_context_files"), setting("build_context_bytes")
    if tree.file_count > most_files or tree.size_bytes > most_bytes:
        message = (
            f"A build context may have {most_files} files and {most_bytes:,} bytes; "
            f"this one has {tree.file_count} files and {tree.size_bytes:,} bytes."
        )
        raise LimitExceeded(f"{field}: {message}", details=[FieldError(field, message)])
    return tree.digest, document.build.dockerfile_path


def save_environment_version(
    actor: User,
    document: EnvironmentContent,
    content: Content,
    *,
    name: str,
    version: str | None,
    is_anonymous: bool = False,
) -> EnvironmentVersion:
    """Write the version's row. Two who take the next number at once get two numbers."""
    for attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                return _save_once(actor, document, content, name, version, is_anonymous)
        except IntegrityError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _save_once(
    actor: User,
    document: EnvironmentContent,
    content: Content,
    name: str,
    version: str | None,
    is_anonymous: bool,
) -> EnvironmentVersion:
    Environment.objects.get_or_create(name=name)
    environment = Environment.objects.select_for_update().get(name=name)
    number = version or next_version(environment.versions.values_list("version", flat=True))
    existing = EnvironmentVersion.objects.select_related("environment", "created_by").filter(
        environment=environment, version=number
    )
    if row := existing.first():
        return _same_or_conflict(row, content)
    return EnvironmentVersion.objects.create(
        environment=environment,
        version=number,
        image=content.spec.image,
        conda=dict(content.spec.conda) if content.spec.conda is not None else None,
        conda_text=content.conda_text,
        requirements=content.spec.requirements,
        context_digest=content.spec.context_digest,
        dockerfile_path=content.spec.dockerfile_path,
        inference_config=content.inference_config,
        os_type=content.os_type,
        description=document.description,
        tags=dict(document.tags),
        properties=dict(document.properties),
        build_key=content.key,
        is_anonymous=is_anonymous,
        created_by=actor,
    )


def _same_or_conflict(existing: EnvironmentVersion, content: Content) -> EnvironmentVersion:
    if existing.build_key == content.key and existing.inference_config == content.inference_config:
        return existing
    raise Conflict(
        f"{existing} exists already and has other content. Versions never change: "
        "register another version, or leave the version out to take the next number.",
        details=[FieldError("version", f"Version {existing.version} is taken.")],
    )


def archive_environment(actor: User, *, name: str, version: str = "") -> list[EnvironmentVersion]:
    """Hide one version, or with no version all of them, from lists and `@latest`. Deployments that use it go on."""
    return _set_archived(actor, name, version, is_archived=True)


def restore_environment(actor: User, *, name: str, version: str = "") -> list[EnvironmentVersion]:
    """Show archived versions again."""
    return _set_archived(actor, name, version, is_archived=False)


def _set_archived(actor: User, name: str, version: str, *, is_archived: bool) -> list[EnvironmentVersion]:
    require(actor, actions.ENVIRONMENTS_WRITE)
    rows = [get_environment_version(actor, name, version)] if version else list(environment_versions(actor, name))
    moment = timezone.now() if is_archived else None
    for row in rows:
        if (row.archived_at is None) == is_archived:
            row.archived_at = moment
            row.save(update_fields=["archived_at"])
            verb = "Archive" if is_archived else "Restore"
            audit.record(
                actor, actions.ENVIRONMENTS_WRITE, target=f"environment {row}", summary=f"{verb} the environment"
            )
    return rows


def update_environment(
    actor: User, *, name: str, version: str, description: str | None = None, tags: Mapping[str, str] | None = None
) -> EnvironmentVersion:
    """Change what may change of a version: its description and tags. None leaves a thing as it is."""
    require(actor, actions.ENVIRONMENTS_WRITE)
    row = get_environment_version(actor, name, version)
    before = {"description": row.description, "tags": row.tags}
    after = {
        "description": row.description if description is None else description,
        "tags": row.tags if tags is None else dict(tags),
    }
    for key, value in after.items():
        setattr(row, key, value)
    row.save(update_fields=["description", "tags"])
    summary, target = "Change description or tags", f"environment {row}"
    audit.record(actor, actions.ENVIRONMENTS_WRITE, target=target, summary=summary, before=before, after=after)
    return row


def request_build(actor: User, *, name: str, version: str = "latest", target: str = "process") -> EnvironmentBuild:
    """Have the version's content built now; a build that succeeded or is under way stays as it is."""
    require(actor, actions.ENVIRONMENTS_WRITE)
    row = get_environment_version(actor, name, version)
    audit.record(actor, actions.ENVIRONMENTS_WRITE, target=f"environment {row}", summary="Build the environment")
    return builds.request(row, target)


def content_digest(content: Content) -> str:
    """Names content that nobody named: what is built, and how its server is asked."""
    config = msgspec.json.encode(content.inference_config, order="deterministic")
    return hashlib.sha256(content.key.encode() + b"\0" + config).hexdigest()
