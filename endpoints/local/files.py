"""From a document to what an instance is made of: files in the local store, and assets fetched from a studio.

A registered model or environment is fetched where a studio can be reached; the rest needs none.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpoints.assets import AssetStore, UnpackLimits, single_root, unpack_archive
from endpoints.backends.base import MountedModel
from endpoints.cli.client import StudioClient
from endpoints.cli.connection import find_connection
from endpoints.cli.documents import Draft, FileSender
from endpoints.cli.failures import CommandFailed
from endpoints.cli.uploads import find_files
from endpoints.environments import EnvironmentSpec
from endpoints.environments.stored_model import read_stored_model
from endpoints.spec.asset_documents import BUILT_IN_MLFLOW, MLFLOW
from endpoints.spec.documents import (
    AssetReference,
    EnvironmentContent,
    EnvironmentDocument,
    FileLocation,
    InferenceConfig,
    InlineModel,
    LocationKind,
    OnlineDeploymentDocument,
)
from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.yaml_reader import read_yaml

_NO_STUDIO = "'{reference}' is registered in a studio, and none can be reached: {why} Or describe it inline."


@dataclass(frozen=True, slots=True)
class Ingredients:
    """All that instances of one change are made of."""

    environment: EnvironmentSpec
    inference_config: InferenceConfig | None
    model: MountedModel | None
    code_digest: str
    entry_script: str


@dataclass(frozen=True, slots=True)
class LocalReceiver:
    """Puts files into the store; a document then names them by digest."""

    store: AssetStore

    def place(self, root: Path, *, purpose: str, field: str) -> FileLocation:
        find_files(root, field=field)  # refuses what leads out, is missing or is no file, in the same words
        tree = self.store.add_tree(root.resolve(), root_name=root.resolve().name)
        return FileLocation(LocationKind.TREE, tree.digest)


def gather(store: AssetStore, draft: Draft, document: OnlineDeploymentDocument) -> Ingredients:
    """Everything the document names, in the store. Raises Invalid for what is not there."""
    sent = FileSender(LocalReceiver(store), draft.folder).deployment(document)
    code = sent.code_configuration
    model, model_type = _model(store, sent)
    is_bare = model_type == MLFLOW and code is None  # served as it is, by what it says of itself
    if is_bare and model and sent.environment is None:
        conda = read_stored_model(store, model.digest).conda()
        environment, config = EnvironmentSpec(conda=conda), None
    else:
        environment, config = _environment(sent)
    if code is None and config is None and not is_bare:
        message = "Missing data for required field: the folder with the code and the scoring script in it."
        raise Invalid(f"code_configuration: {message}", details=[FieldError("code_configuration", message)])
    return Ingredients(
        environment=environment,
        inference_config=config,
        model=model,
        code_digest=code.code.value if code else "",
        entry_script=code.scoring_script if code else BUILT_IN_MLFLOW if config is None else "",
    )


# Models ----------------------------------------------------------------------------------------------------


def _model(store: AssetStore, document: OnlineDeploymentDocument) -> tuple[MountedModel | None, str]:
    """The model and its type."""
    if document.model is None:
        return None, ""
    if isinstance(document.model, InlineModel):
        digest, name = document.model.path.value, document.model.name
        version = document.model.version or "1"
        return MountedModel(name or _generated(digest), version, digest), document.model.type
    assert isinstance(document.model, AssetReference)  # noqa: S101  there is no third kind
    return _fetched_model(store, document.model)


def _generated(digest: str) -> str:
    """The same files get the same name."""
    return f"local-{hashlib.sha256(digest.encode()).hexdigest()[:12]}"


def _fetched_model(store: AssetStore, reference: AssetReference) -> tuple[MountedModel, str]:
    with _studio(reference) as client, tempfile.TemporaryDirectory(prefix="slipway-model-") as scratch:
        wanted = reference.version or reference.label
        found = client.get("models", reference.name, "versions", wanted)
        archive, folder = Path(scratch) / "model.zip", Path(scratch) / "files"
        with archive.open("wb") as stream:
            for _ in client.download(
                "models", reference.name, "versions", str(found["version"]), "download", into=stream
            ):
                pass
        unpack_archive(archive, folder, UnpackLimits(max_bytes=1 << 50, max_files=1_000_000))
        root = single_root(folder)
        tree = store.add_tree(root, root_name=root.name, consume=True)
        return MountedModel(reference.name, str(found["version"]), tree.digest), str(found["type"])


@contextlib.contextmanager
def _studio(reference: AssetReference) -> Iterator[StudioClient]:
    try:
        connection = find_connection()
    except CommandFailed as failed:
        raise CommandFailed(_NO_STUDIO.format(reference=reference, why=failed.message), hints=failed.hints) from failed
    with StudioClient(connection) as client:
        yield client


# Environments ----------------------------------------------------------------------------------------------


def _environment(document: OnlineDeploymentDocument) -> tuple[EnvironmentSpec, InferenceConfig | None]:
    named = document.environment
    given = _fetched_environment(named) if isinstance(named, AssetReference) else named
    if given is None:
        message = "Missing data for required field: an environment, by its content or registered in a studio."
        raise Invalid(f"environment: {message}", details=[FieldError("environment", message)])
    spec = EnvironmentSpec(
        image=given.image,
        conda=_conda(given),
        requirements=given.requirements_file or "",
        context_digest=given.build.path.value if given.build else "",
        dockerfile_path=given.build.dockerfile_path if given.build else "",
        has_own_server=given.inference_config is not None,
    )
    return spec, given.inference_config


def _conda(content: EnvironmentContent) -> Mapping[str, object] | None:
    if content.conda_file is None or isinstance(content.conda_file, Mapping):
        return content.conda_file
    return read_yaml(content.conda_file, name="conda_file").values


def _fetched_environment(reference: AssetReference) -> EnvironmentContent:
    with _studio(reference) as client:
        wanted = reference.version or reference.label
        found: dict[str, Any] = client.get("environments", reference.name, "versions", wanted)
    keys = ("name", "version", "image", "conda_file", "requirements_file", "inference_config")
    values = {key: found[key] for key in keys if found.get(key)}
    if not set(values) - {"name", "version", "inference_config"}:
        message = (
            f"'{reference}' is built from a folder with a Dockerfile, which only the studio has; name that folder."
        )
        raise Invalid(f"environment: {message}", details=[FieldError("environment", message)])
    return EnvironmentDocument.read(values)
