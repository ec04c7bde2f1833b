"""From a deployment's document to what its instances are made of: references resolved, inline assets registered.

A template is what a revision stores. Two equal templates are the same revision, however the documents were written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from endpoints.assets import Tree
from endpoints.assets.store import MissingAsset
from endpoints.models import DeploymentRevision, EnvironmentVersion, ModelVersion
from endpoints.selectors import get_environment_version, get_model_version
from endpoints.services.environments import content_digest, read_content, save_environment_version
from endpoints.services.mlflow_models import conda_of, read_model
from endpoints.services.registry import save_model_version, tree_at
from endpoints.services.store import asset_store
from endpoints.spec.documents import (
    MLFLOW,
    AssetReference,
    CodeConfiguration,
    InlineEnvironment,
    InlineModel,
    ModelDocument,
    OnlineDeploymentDocument,
)
from endpoints.spec.errors import FieldError, Invalid, NotFound
from endpoints.spec.script_check import script_problem
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require

# These stand in the deployment's own row: changing them replaces no instance.
ROW_KEYS = (
    "description",
    "tags",
    "properties",
    "instance_count",
    "scaling",
    "gateway_settings",
    "shared_pool_hours",
)
# What a deployment keeps for life.
_NAMES = ("name", "endpoint_name", "backend")
_MAX_SCRIPT_BYTES = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Template:
    """`spec` is the document as stored: normalised, references by version, code by tree, without what rows hold."""

    spec: dict[str, Any]
    model_version: ModelVersion | None
    environment_version: EnvironmentVersion | None
    code_digest: str

    def is_same_as(self, revision: DeploymentRevision) -> bool:
        return bool(self.spec == revision.spec)


def resolve(
    actor: User,
    document: OnlineDeploymentDocument,
    *,
    instance_type: str,
    check_script: bool = True,
    current: DeploymentRevision | None = None,
) -> Template:
    """Find or register everything the document names. Call it within the transaction that stores the template.

    What `current` uses already may be kept by those who may change the deployment, whatever else they may read.
    """
    backend = current.deployment.backend if current else document.backend or settings.SLIPWAY_BACKEND
    model = _model(actor, document, current)
    bare = model if model and model.type == MLFLOW and document.code_configuration is None else None
    named = _environment(actor, document, current)
    if bare is None:
        _require_environment(document)
    environment = _environment_of_model(actor, document, bare) if bare and named is None else named
    _require_server(document, environment, backend, is_code_needed=bare is None)
    code = _code(actor, document, check_script=check_script)
    spec = document.to_json()
    for key in (*_NAMES, *ROW_KEYS):
        spec.pop(key, None)
    spec["scale_settings"] = {"type": "default"}  # another type means a policy, which the row holds
    spec["instance_type"] = instance_type
    if model:
        spec["model"] = model.reference
    if named:
        spec["environment"] = named.reference
    if code:
        spec["code_configuration"]["code"] = f"tree:{code.digest}"
    return Template(spec, model, environment, code.digest if code else "")


def document_of(revision: DeploymentRevision) -> dict[str, Any]:
    """The deployment as a document again: what a user would write to get exactly this."""
    deployment = revision.deployment
    row = {key: getattr(deployment, key) for key in ROW_KEYS}
    if not deployment.shared_pool_hours:
        del row["shared_pool_hours"]
    if not deployment.scaling:
        del row["scaling"]
    return {
        "name": deployment.name,
        "endpoint_name": deployment.endpoint.name,
        "backend": deployment.backend,
        **row,
        **revision.spec,
    }


_NO_CODE = "Missing data for required field: the folder with the code and the scoring script in it."


def _require_environment(document: OnlineDeploymentDocument) -> None:
    if document.environment is None:
        message = "Missing data for required field: a registered environment, or its content."
        errors = [FieldError("environment", message)]
        if document.code_configuration is None:
            errors.insert(0, FieldError("code_configuration", _NO_CODE))
        raise Invalid(f"{errors[0].field}: {errors[0].message}", details=errors)


def _require_server(
    document: OnlineDeploymentDocument, environment: EnvironmentVersion | None, backend: str, *, is_code_needed: bool
) -> None:
    """Something must serve the model: a scoring script in our server, or the image's own, in a container."""
    if environment is None or not environment.inference_config:
        if document.code_configuration is None and is_code_needed:
            raise _invalid("code_configuration", _NO_CODE)
        if document.model_mount_path and backend == "process":
            raise _invalid("model_mount_path", f"Only containers can have it. {_ADD_DOCKER}")
    elif backend == "process":
        raise _invalid(
            "environment",
            "Its image brings a server of its own (inference_config), which runs in a container only. " + _ADD_DOCKER,
        )


_ADD_DOCKER = "Add 'backend: docker' to the deployment."


# Models ----------------------------------------------------------------------------------------------------


def _model(actor: User, document: OnlineDeploymentDocument, current: DeploymentRevision | None) -> ModelVersion | None:
    source = document.model
    if source is None:
        return None
    if isinstance(source, AssetReference):
        if current and current.spec.get("model") == source.as_text():
            return current.model_version
        try:
            return get_model_version(actor, source.name, source.label or source.version)
        except NotFound as missing:
            raise _invalid("model", missing.message) from missing
    return _inline_model(actor, source)


def _inline_model(actor: User, source: InlineModel) -> ModelVersion:
    """Register the files under their own name, or under one made from their content; the same files only once."""
    require(actor, actions.MODELS_WRITE)
    tree = tree_at(actor, source.path, field="model.path")
    if source.type == MLFLOW:
        read_model(tree.digest, field="model.path")
    if source.name and not source.version:
        newest = ModelVersion.objects.select_related("model").filter(model__name=source.name).order_by("-pk").first()
        if newest and (newest.tree_digest, newest.type) == (tree.digest, source.type):
            return newest
    name = source.name or _generated_name(f"{source.type}\0{tree.digest}")
    registered = ModelDocument(
        name=name,
        path=source.path,
        version=source.version or (None if source.name else "1"),
        type=source.type,
        description=source.description,
        tags=source.tags,
        properties=source.properties,
    )
    return save_model_version(actor, registered, tree, is_anonymous=source.name is None)


def _generated_name(content: str) -> str:
    return f"inline-{hashlib.sha256(content.encode()).hexdigest()[:24]}"


# Environments ----------------------------------------------------------------------------------------------


def _environment(
    actor: User, document: OnlineDeploymentDocument, current: DeploymentRevision | None
) -> EnvironmentVersion | None:
    source = document.environment
    if source is None:
        return None
    if isinstance(source, AssetReference):
        if current and current.spec.get("environment") == source.as_text():
            return current.environment_version
        try:
            return get_environment_version(actor, source.name, source.label or source.version)
        except NotFound as missing:
            raise _invalid("environment", missing.message) from missing
    return _inline_environment(actor, source)


def _inline_environment(actor: User, source: InlineEnvironment) -> EnvironmentVersion:
    """Register the content under its own name, or under one made from it; the same content only once."""
    require(actor, actions.ENVIRONMENTS_WRITE)
    content = read_content(actor, source, at="environment.")
    if source.name and not source.version:
        rows = EnvironmentVersion.objects.select_related("environment").filter(environment__name=source.name)
        newest = rows.order_by("-pk").first()
        if newest and (newest.build_key, newest.inference_config) == (content.key, content.inference_config):
            return newest
    return save_environment_version(
        actor,
        source,
        content,
        name=source.name or _generated_name(content_digest(content)),
        version=source.version or (None if source.name else "1"),
        is_anonymous=source.name is None,
    )


def _environment_of_model(actor: User, document: OnlineDeploymentDocument, model: ModelVersion) -> EnvironmentVersion:
    """What an MLflow model asks for, under a name made from it, so that models of one environment share a build.

    Whoever may deploy the model may have it: it came with the model. It is no part of the document, so that another
    model brings its own.
    """
    field = "model" if isinstance(document.model, AssetReference) else "model.path"
    source = InlineEnvironment(
        conda_file=conda_of(model.tree_digest, field=field), description="What an MLflow model asks for."
    )
    content = read_content(actor, source)
    name = _generated_name(content_digest(content))
    return save_environment_version(actor, source, content, name=name, version="1", is_anonymous=True)


# Code ------------------------------------------------------------------------------------------------------


def _code(actor: User, document: OnlineDeploymentDocument, *, check_script: bool) -> Tree | None:
    configuration = document.code_configuration
    if configuration is None:
        return None
    tree = tree_at(actor, configuration.code, field="code_configuration.code")
    if not tree.is_folder:
        raise _invalid("code_configuration.code", f"{tree.root_name!r} is a file; give the folder it lies in.")
    source = _script(tree, configuration)
    if check_script and (
        problem := script_problem(source, file=configuration.scoring_script, deployment=document.name)
    ):
        raise Invalid(problem.message, details=[problem])
    return tree


def _script(tree: Tree, configuration: CodeConfiguration) -> bytes:
    """The scoring script's bytes. What is no script is refused by name."""
    field, path = "code_configuration.scoring_script", _relative(configuration.scoring_script)
    try:
        with asset_store().open_file(tree.digest, path) as file:
            source = file.read(_MAX_SCRIPT_BYTES + 1)
    except MissingAsset:
        scripts = [entry.path for entry in asset_store().iter_entries(tree.digest) if entry.path.endswith(".py")]
        there = f"It holds {', '.join(sorted(scripts)[:5])}." if scripts else "It holds no Python file."
        message = f"Failed to open scoring script {configuration.scoring_script}: it is not in the code folder. {there}"
        raise _invalid(field, message) from None
    if len(source) > _MAX_SCRIPT_BYTES:
        raise _invalid(field, f"{configuration.scoring_script} is larger than {_MAX_SCRIPT_BYTES // 1024**2} MiB.")
    return source


def _relative(path: str) -> str:
    """`./a/score.py` and `a/score.py` are the same file of the tree."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", details=[FieldError(field, message)])


def merged(revision: DeploymentRevision, changes: Mapping[str, object]) -> dict[str, object]:
    """The present document with top-level keys replaced; a key set to None returns to its default."""
    values = {**document_of(revision), **changes}
    return {key: value for key, value in values.items() if value is not None}
