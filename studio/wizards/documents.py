"""From answers to the documents and command lines that would do the same. Pure: no database, no services.

What the review shows is what is created: `create` reads the very texts made here.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from studio.wizards.answers import Answers, CodeAnswer, ComputeAnswer, EnvironmentAnswer, ModelAnswer

# Kind of environment -> the document's key, and the file it names.
_PACKAGES = {"conda": ("conda_file", "conda.yml"), "requirements": ("requirements_file", "requirements.txt")}
_SCHEMAS = "https://azuremlschemas.azureedge.net/latest/"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextFile:
    """One file of the set. is_document: a YAML document, as opposed to a script or a conda file it names."""

    name: str
    text: str
    is_document: bool = True


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file or folder the person already gave us; the documents name it by `path`."""

    path: str
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Package:
    """Everything needed to do the same from a command line, in one folder."""

    files: tuple[TextFile, ...]
    uploads: tuple[Uploaded, ...]
    commands: tuple[str, ...]

    @property
    def command_text(self) -> str:
        return "\n".join(self.commands)


def endpoint_document(answers: Answers) -> Document | None:
    """Of a new endpoint, None for one that exists."""
    endpoint = answers.endpoint
    if endpoint is None or not endpoint.is_new:
        return None
    document: Document = {"$schema": _schema("managedOnlineEndpoint"), "name": endpoint.name}
    if endpoint.description:
        document["description"] = endpoint.description
    return document | {"auth_mode": endpoint.auth_mode}


def model_document(model: ModelAnswer) -> Document:
    """Of a model to register."""
    if model.upload is None:
        raise ValueError("a registered model needs no document")
    document: Document = {"$schema": _schema("model"), "name": model.name, "version": model.version}
    if model.description:
        document["description"] = model.description
    return document | {"type": model.type, "path": _path(model.upload.root_name, model.upload.is_folder)}


def environment_document(environment: EnvironmentAnswer) -> Document:
    """Of an environment to register; its list of packages lies beside it."""
    document: Document = {
        "$schema": _schema("environment"),
        "name": environment.name,
        "version": environment.version,
        "image": environment.image,
    }
    return document | {_PACKAGES[environment.kind][0]: f"./{_PACKAGES[environment.kind][1]}"}


def deployment_document(answers: Answers) -> Document:
    """Of the deployment. Needs every answer but traffic."""
    endpoint, environment, code, compute = answers.endpoint, answers.environment, answers.code, answers.compute
    if endpoint is None or environment is None or code is None or compute is None:
        raise ValueError("a deployment document needs all steps")
    document: Document = {
        "$schema": _schema("managedOnlineDeployment"),
        "name": endpoint.deployment,
        "endpoint_name": endpoint.name,
    }
    if answers.model:
        document["model"] = answers.model.reference
    if code.scoring_script:
        document["code_configuration"] = {"code": code_folder(code), "scoring_script": code.scoring_script}
    if environment.kind != "model":
        document["environment"] = environment.reference
    if answers.environment_variables:
        document["environment_variables"] = dict(answers.environment_variables)
    return document | _compute_fields(compute)


def code_folder(code: CodeAnswer) -> str:
    """Where the documents expect the script's folder."""
    if code.upload and code.upload.is_folder:
        return _path(code.upload.root_name, is_folder=True)
    return "./src/"


def package(answers: Answers) -> Package:
    """All files and commands of a complete set of answers."""
    if answers.endpoint is None or answers.code is None or answers.environment is None:
        raise ValueError("a package needs all steps")
    files: list[TextFile] = []
    uploads: list[Uploaded] = []
    commands: list[str] = []
    if document := endpoint_document(answers):
        files.append(_document("endpoint.yml", document))
        commands.append("slipway online-endpoint create -f endpoint.yml")
    if answers.model and (upload := answers.model.upload):
        files.append(_document("model.yml", model_document(answers.model)))
        uploads.append(Uploaded(_path(upload.root_name, upload.is_folder), upload.file_count, upload.size_bytes))
        commands.append("slipway model create -f model.yml")
    if answers.environment.is_new:
        files.append(_document("environment.yml", environment_document(answers.environment)))
        name = _PACKAGES[answers.environment.kind][1]
        files.append(TextFile(name, answers.environment.definition, is_document=False))
        commands.append("slipway environment create -f environment.yml")
    if answers.code.scoring_script:
        _add_code(answers.code, files, uploads)
    name = f"{answers.endpoint.deployment}.yml"
    files.append(_document(name, deployment_document(answers)))
    commands += [f"slipway online-deployment create -f {name}", *_traffic_commands(answers)]
    return Package(tuple(files), tuple(uploads), tuple(commands))


def traffic_argument(traffic: Mapping[str, int]) -> str:
    """`blue=90 green=10`, as `--traffic` takes it."""
    return " ".join(f"{name}={percent}" for name, percent in traffic.items())


def to_yaml(document: Document) -> str:
    """Keys in the order the documents are usually written in."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _add_code(code: CodeAnswer, files: list[TextFile], uploads: list[Uploaded]) -> None:
    upload = code.upload
    if upload is None:
        files.append(TextFile(f"src/{code.scoring_script}", code.script, is_document=False))
        return
    path = _path(upload.root_name, True) if upload.is_folder else f"./src/{upload.root_name}"
    uploads.append(Uploaded(path, upload.file_count, upload.size_bytes))


def _traffic_commands(answers: Answers) -> list[str]:
    if answers.endpoint is None or answers.traffic is None or answers.traffic.traffic is None:
        return []
    split = shlex.quote(traffic_argument(answers.traffic.traffic))
    return [f"slipway online-endpoint update --name {answers.endpoint.name} --traffic {split}"]


def _compute_fields(compute: ComputeAnswer) -> Document:
    fields: Document = {"instance_type": compute.instance_type, "instance_count": compute.instance_count}
    if compute.backend:
        fields["backend"] = compute.backend
    if compute.shared_pool_hours:
        fields["shared_pool_hours"] = compute.shared_pool_hours
    for key in ("request_settings", "liveness_probe", "readiness_probe"):
        if settings := getattr(compute, key):
            fields[key] = dict(settings)
    return fields


def _document(name: str, document: Document) -> TextFile:
    return TextFile(name, to_yaml(document))


def _schema(kind: str) -> str:
    return f"{_SCHEMAS}{kind}.schema.json"


def _path(root_name: str, is_folder: bool) -> str:
    return f"./{root_name}/" if is_folder else f"./{root_name}"
