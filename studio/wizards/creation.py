"""Carries out a finished draft: all of it or nothing, through the services and with the documents the review showed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from endpoints import services
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.errors import SlipwayError
from studio.access.models import User
from studio.wizards import documents, files
from studio.wizards.answers import Answers, CodeAnswer, EnvironmentAnswer, ModelAnswer


class CreationFailed(Exception):
    """`what` could not be made because of `error`; everything made before it was taken back."""

    def __init__(self, what: str, error: SlipwayError) -> None:
        super().__init__(f"{what}: {error.message}")
        self.what = what
        self.error = error


@dataclass(frozen=True, slots=True)
class Created:
    endpoint: str
    deployment: str


def create(actor: User, answers: Answers) -> Created:
    """Register what is new, make the endpoint if it is new, then the deployment. Raises CreationFailed.

    One transaction: the services wake the reconciler after it commits, so a refusal at the end leaves no trace.
    """
    if answers.endpoint is None or answers.environment is None or answers.code is None:
        raise ValueError("a draft must be complete to be created")
    what = "model"
    try:
        with transaction.atomic():
            if answers.model and answers.model.upload:
                _register_model(actor, answers.model)
            what = "environment"
            if answers.environment.is_new:
                _register_environment(actor, answers.environment)
            what = "endpoint"
            if endpoint := documents.endpoint_document(answers):
                services.create_endpoint(actor, document=OnlineEndpointDocument.read(endpoint))
            what = "deployment"
            _create_deployment(actor, answers, answers.code)
    except SlipwayError as error:
        raise CreationFailed(what, error) from error
    return Created(answers.endpoint.name, answers.endpoint.deployment)


def _register_model(actor: User, model: ModelAnswer) -> None:
    services.register_model(
        actor,
        name=model.name,
        version=model.version,
        type=model.type,
        upload=model.upload.id if model.upload else "",
        description=model.description,
    )


def _register_environment(actor: User, environment: EnvironmentAnswer) -> None:
    is_conda = environment.kind == "conda"
    services.register_environment(
        actor,
        name=environment.name,
        version=environment.version,
        image=environment.image,
        conda_text=environment.definition if is_conda else "",
        requirements="" if is_conda else environment.definition,
    )


def _create_deployment(actor: User, answers: Answers, code: CodeAnswer) -> None:
    """The document of the review, with the script's folder named by the upload that holds it."""
    document = documents.deployment_document(answers)
    if code.scoring_script:
        upload = files.code_folder(actor, code.upload) if code.upload else None
        upload = upload or files.store_script(actor, code.scoring_script, code.script.encode())
        document["code_configuration"] = document["code_configuration"] | {"code": f"upload:{upload.id}"}
    split = answers.traffic.traffic if answers.traffic else None
    services.create_deployment(actor, document=OnlineDeploymentDocument.read(document), traffic=split)
