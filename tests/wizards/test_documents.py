"""The documents of the review: they parse as the studio parses documents, and say what was answered."""

from __future__ import annotations

from dataclasses import replace

import yaml

from endpoints.spec.documents import (
    EnvironmentDocument,
    ModelDocument,
    OnlineDeploymentDocument,
    OnlineEndpointDocument,
)
from endpoints.spec.traffic import parse_split
from studio.wizards import documents
from studio.wizards.answers import (
    Answers,
    CodeAnswer,
    ComputeAnswer,
    EndpointAnswer,
    EnvironmentAnswer,
    ModelAnswer,
    StoredUpload,
    TrafficAnswer,
)

UPLOAD = StoredUpload("5f8f1d0e-0000-4000-8000-000000000000", "model", True, 2, 4096)
ANSWERS = Answers(
    endpoint=EndpointAnswer("diabetes-risk", True, "key", "green", "Risk: a score, 0 to 1"),
    model=ModelAnswer("diabetes", "2", description="second", upload=UPLOAD, file_count=2, size_bytes=4096),
    environment=EnvironmentAnswer("sklearn", "3", "conda", "some/image:1", "dependencies:\n- pip\n"),
    code=CodeAnswer("score.py", "def init(): pass\n"),
    environment_variables={"WORKER_COUNT": "2", "FLAG": "yes"},
    compute=ComputeAnswer("Standard_DS3_v2", 3, {"request_timeout_ms": 9000}, {}, {"initial_delay": 30}),
    traffic=TrafficAnswer({"blue": 90, "green": 10}, 10),
)


def text_of(name: str, answers: Answers = ANSWERS) -> str:
    return next(file.text for file in documents.package(answers).files if file.name == name)


def test_the_deployment_text_reads_as_the_document_that_is_created() -> None:
    shown = OnlineDeploymentDocument.read_text(text_of("green.yml"))
    assert shown == OnlineDeploymentDocument.read(documents.deployment_document(ANSWERS))
    assert (shown.instance_count, shown.request_settings.request_timeout_ms) == (3, 9000)
    assert shown.environment_variables == {"WORKER_COUNT": "2", "FLAG": "yes"}
    assert shown.readiness_probe.initial_delay == 30


def test_the_endpoint_text_reads_as_the_document_that_is_created() -> None:
    created = documents.endpoint_document(ANSWERS)
    assert created is not None
    assert OnlineEndpointDocument.read_text(text_of("endpoint.yml")) == OnlineEndpointDocument.read(created)


def test_model_and_environment_texts_parse_and_name_their_files() -> None:
    model = ModelDocument.read_text(text_of("model.yml"))
    environment = EnvironmentDocument.read_text(text_of("environment.yml"))
    assert (model.name, model.version, model.path.value) == ("diabetes", "2", "./model/")
    assert environment.conda_file == "./conda.yml"
    assert text_of("conda.yml") == "dependencies:\n- pip\n"


def test_requirements_travel_as_a_requirements_file() -> None:
    environment = replace(ANSWERS.environment, kind="requirements", definition="numpy\n")  # type: ignore[type-var]
    answers = replace(ANSWERS, environment=environment)
    assert EnvironmentDocument.read_text(text_of("environment.yml", answers)).requirements_file == "./requirements.txt"
    assert text_of("requirements.txt", answers) == "numpy\n"


def test_a_model_version_like_1e3_stays_a_text() -> None:
    model = replace(ANSWERS.model, version="1e3")  # type: ignore[type-var]
    assert yaml.safe_load(text_of("model.yml", replace(ANSWERS, model=model)))["version"] == "1e3"


def test_commands_come_in_the_order_things_need_each_other() -> None:
    commands = documents.package(ANSWERS).commands
    assert [command.split()[1] for command in commands] == [
        *("online-endpoint", "model", "environment", "online-deployment", "online-endpoint")
    ]
    assert parse_split(commands[-1].split("'")[1]) == {"blue": 90, "green": 10}


def test_what_exists_already_is_not_made_again() -> None:
    answers = replace(
        ANSWERS,
        endpoint=EndpointAnswer("diabetes-risk", False, "key", "green"),
        model=ModelAnswer("diabetes", "1"),
        environment=EnvironmentAnswer("sklearn", "1", "registered"),
        traffic=TrafficAnswer(None, 0),
    )
    package = documents.package(answers)
    assert [file.name for file in package.files] == ["src/score.py", "green.yml"]
    assert package.commands == ("slipway online-deployment create -f green.yml",)


def test_an_uploaded_code_folder_is_named_as_it_was() -> None:
    code = CodeAnswer("deep/score.py", upload=replace(UPLOAD, root_name="onlinescoring"))
    document = documents.deployment_document(replace(ANSWERS, code=code))
    assert document["code_configuration"] == {"code": "./onlinescoring/", "scoring_script": "deep/score.py"}
