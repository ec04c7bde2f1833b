"""A finished draft is carried out whole, or not at all."""

from __future__ import annotations

from io import BytesIO

import pytest

from endpoints import services
from endpoints.models import EnvironmentVersion, FamilyQuota, ModelVersion, OnlineDeployment, OnlineEndpoint
from endpoints.selectors import current_revision
from endpoints.spec.documents import OnlineDeploymentDocument
from studio.access.models import User
from studio.wizards import documents, progress
from studio.wizards.answers import Answers
from studio.wizards.creation import CreationFailed, create
from tests.wizards.conftest import stored


def answers_with_a_new_model(owner: User) -> Answers:
    upload = services.upload_from_files(owner, files=[("m.pkl", BytesIO(b"1"))], purpose="model")
    model = {"source": "upload", "upload": str(upload.pk), "name": "new-model"}
    return progress.read(owner, stored(model=model), {}).answers


def test_everything_new_is_made(owner: User, model: ModelVersion) -> None:
    created = create(owner, answers_with_a_new_model(owner))
    assert (created.endpoint, created.deployment) == ("fresh-endpoint", "blue")
    deployment = OnlineDeployment.objects.get(endpoint__name="fresh-endpoint", name="blue")
    assert deployment.traffic_when_ready == {"blue": 100}
    revision = current_revision(owner, deployment)
    assert str(revision.model_version) == "new-model:1"
    assert str(revision.environment_version) == "sklearn:1"


def test_what_is_created_is_what_the_review_showed(owner: User, model: ModelVersion) -> None:
    answers = answers_with_a_new_model(owner)
    shown = next(file.text for file in documents.package(answers).files if file.name == "blue.yml")
    create(owner, answers)
    deployment = OnlineDeployment.objects.get(name="blue")
    made = OnlineDeploymentDocument.read(services.document_of(current_revision(owner, deployment)))
    wanted = OnlineDeploymentDocument.read_text(shown)
    resolved = {"code_configuration": None, "backend": None}  # what the review leaves to the studio
    assert made.to_json() | resolved == wanted.to_json() | resolved


def test_a_refusal_at_the_end_takes_back_what_was_made_before(owner: User, model: ModelVersion) -> None:
    answers = answers_with_a_new_model(owner)
    FamilyQuota.objects.update(limit_cores=0)
    with pytest.raises(CreationFailed) as refusal:
        create(owner, answers)
    assert refusal.value.what == "deployment"
    assert not OnlineEndpoint.objects.filter(name="fresh-endpoint").exists()
    assert not ModelVersion.objects.filter(model__name="new-model").exists()
    assert not EnvironmentVersion.objects.filter(environment__name="sklearn").exists()


def test_what_was_taken_meanwhile_is_named(owner: User, model: ModelVersion) -> None:
    answers = answers_with_a_new_model(owner)
    services.create_endpoint(owner, document={"name": "fresh-endpoint"})
    with pytest.raises(CreationFailed) as refusal:
        create(owner, answers)
    assert refusal.value.what == "endpoint"
    assert "fresh-endpoint" in refusal.value.error.message
