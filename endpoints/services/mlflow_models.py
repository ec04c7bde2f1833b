"""MLflow models in the store: read where they are registered, and again where they are to be served without code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from endpoints.assets.store import MissingAsset
from endpoints.environments.mlflow_model import MlflowModel
from endpoints.environments.stored_model import read_stored_model
from endpoints.services.store import asset_store
from endpoints.spec.errors import FieldError, UnusableModel


def read_model(tree_digest: str, *, field: str) -> MlflowModel:
    """The MLmodel of a stored tree. Raises UnusableModel at the document's `field`."""
    with _told_at(field):
        return read_stored_model(asset_store(), tree_digest)


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
