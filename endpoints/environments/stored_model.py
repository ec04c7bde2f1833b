"""MLflow models as they lie in the store."""

from __future__ import annotations

from endpoints.assets import AssetStore
from endpoints.environments.mlflow_model import MlflowModel, ModelFiles, read_mlflow_model
from endpoints.spec.errors import UnusableModel

# As large as any file of MLflow's own about a model; an MLmodel holds whole signatures.
_MAX_FILE_BYTES = 1024 * 1024


def read_stored_model(store: AssetStore, tree_digest: str) -> MlflowModel:
    """The MLmodel of a stored tree. Raises UnusableModel for what cannot be served, MissingAsset."""
    paths = frozenset(entry.path for entry in store.iter_entries(tree_digest))
    return read_mlflow_model(ModelFiles(paths, lambda path: _text(store, tree_digest, path)))


def _text(store: AssetStore, tree_digest: str, path: str) -> str:
    with store.open_file(tree_digest, path) as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise UnusableModel(f"The model's {path} is larger than {_MAX_FILE_BYTES // 1024} KiB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableModel(f"The model's {path} cannot be read: it is not UTF-8 text ({error.reason}).") from error
