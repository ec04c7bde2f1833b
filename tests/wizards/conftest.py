"""People, and a draft that is complete in every step."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest

from endpoints import services
from endpoints.models import ModelVersion, OnlineEndpoint
from studio.access.models import User
from studio.wizards import progress
from studio.wizards.steps.base import Step

CONDA = "dependencies:\n  - python=3.11\n  - pip\n  - pip:\n      - scikit-learn\n"
SCRIPT = "def init():\n    pass\n\n\ndef run(raw_data):\n    return raw_data\n"


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("olga", password="correct-horse", is_superuser=True)


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("sam", password="correct-horse")


@pytest.fixture
def model(owner: User) -> ModelVersion:
    return register_model(owner, "diabetes")


@pytest.fixture
def endpoint(owner: User) -> OnlineEndpoint:
    """An endpoint that is there, with nothing behind it."""
    services.create_endpoint(owner, document={"name": "risk"})
    return OnlineEndpoint.objects.get(name="risk")


def register_model(owner: User, name: str, content: bytes = b"weights") -> ModelVersion:
    upload = services.upload_from_files(owner, files=[("model.pkl", io.BytesIO(content))], purpose="model")
    return services.register_model(owner, name=name, upload=upload)


# What a person types, step by step, to deploy the registered model `diabetes` behind a new endpoint.
TYPED: dict[str, dict[str, str]] = {
    "endpoint": {"target": "new", "name": "fresh-endpoint", "auth_mode": "key", "deployment": "blue"},
    "model": {"source": "registered", "registered": "diabetes:1"},
    "environment": {
        "environment": "conda",
        "conda": CONDA,
        "name": "sklearn",
        "code": "editor",
        "script_name": "score.py",
        "script": SCRIPT,
    },
    "compute": {"instance_type": "Standard_DS3_v2", "instance_count": "1"},
    "traffic": {"share": "all"},
}


def typed(step: str, **changes: str) -> dict[str, str]:
    """The fields of one step as a browser sends them, with `changes`."""
    return {f"{step}-{name}": value for name, value in {**TYPED[step], **changes}.items()}


def stored(upto: str = "review", **changes: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """The draft's data of all steps before `upto`; `changes` by step."""
    names = list(progress.STEPS)[: list(progress.STEPS).index(upto)]
    return {name: {key: [text] for key, text in typed(name, **changes.get(name, {})).items()} for name in names}


def form_of(user: User, step: str, **changes: str) -> Step:
    """The step's form as sent with `changes`, behind a draft whose earlier steps are answered."""
    so_far = progress.read(user, stored(step), {}).before[step]
    return progress.STEPS[step](data=typed(step, **changes), prefix=step, user=user, so_far=so_far, wish={})
