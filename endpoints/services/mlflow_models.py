"""MLflow models in the store: read where they are registered, and again where they are to be served without code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from endpoints.assets.store import MissingAsset
from endpoints.environments.mlflow_model import MlflowModel, ModelFiles, read_mlflow_model
from endpoints.services.store import asset_store
from endpoints.spec.errors import FieldError, UnusableModel

# As large as any file of MLflow's own about a model; an MLmodel holds whole signatures.
_MAX_FILE_BYTES = 1024 * 1024


def read_model(tree_digest: str, *, field: str) -> MlflowModel:
    """The MLmodel of a stored tree. Raises UnusableModel at the document's `field`."""
    with _told_at(field):
        paths = frozenset(entry.path for entry in asset_store().iter_entries(tree_digest))
        return read_mlflow_model(ModelFiles(paths, lambda path: _text(tree_digest, path)))


def conda_of(tree_digest: str, *, field: str) -> dict[str, object]:
    """The environment of a model that is to be served without code. Raises UnusableModel at the document's `field`."""
    with _told_at(field):
        return read_model(tree_digest, field=field).conda()


@contextmanager
def _told_at(field: str) -> Iterator[None]:
    try:
        yield
    except MissingAsset:
        message = "The model's files are no longer in the store; register it again."
        raise UnusableModel(f"{field}: {message}", details=[FieldError(field, message)]) from None
    except UnusableModel as refusal:
        if refusal.details:
            raise
        details = [FieldError(field, refusal.message)]
        raise UnusableModel(f"{field}: {refusal.message}", details=details) from refusal


def _text(tree_digest: str, path: str) -> str:
    with asset_store().open_file(tree_digest, path) as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise UnusableModel(f"The model's {path} is larger than {_MAX_FILE_BYTES // 1024} KiB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableModel(f"The model's {path} cannot be read: it is not UTF-8 text ({error.reason}).") from error
