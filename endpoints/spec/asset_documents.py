"""Models and environments as users write them: registered by a document of their own, or inline in a deployment.

Pure values; a path in them is as written, to be resolved by whoever knows where the document lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from endpoints.spec.names import asset_name_problem, version_problem
from endpoints.spec.references import AssetReference, FileLocation, parse_location, parse_reference
from endpoints.spec.schema import (
    Block,
    Document,
    Integer,
    Kind,
    Place,
    Problem,
    Shape,
    Text,
    TextOfAnything,
    rule,
)

DEFAULT_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"

MLFLOW = "mlflow_model"
# The scoring server's own script for models of that type, as `endpoints.scoring.loader` knows it.
BUILT_IN_MLFLOW = "builtin:mlflow"
ModelType = Literal["custom_model", "mlflow_model", "triton_model"]
AssetName = Annotated[str, Text(asset_name_problem)]
# `version: 1` is the string "1".
Version = Annotated[str, TextOfAnything(version_problem)]

READ_ONLY = frozenset(
    {"$schema", "id", "creation_context", "provisioning_state", "archived", "is_anonymous", "latest_version"}
)


class Location(Kind):
    """A path (`file:` before it is allowed), or files the studio holds already: `upload:<id>`, `tree:<digest>`."""

    def read(self, raw: object, place: Place) -> FileLocation:
        if not isinstance(raw, str):
            raise place.reject("Not a valid string.")
        if not raw.strip():
            raise place.reject("The path is empty.")
        if raw.startswith("azureml://"):
            raise place.reject(f"'{raw}' is not on this studio; download the files and name their path.")
        return parse_location(raw.removeprefix("file:"))


class ReferenceOr(Kind):
    """`azureml:name:version` as a string, or a mapping read by `shape`."""

    def __init__(self, shape: type[Shape]) -> None:
        self._inline = Block(shape)

    def read(self, raw: object, place: Place) -> object:
        if not isinstance(raw, str):
            return self._inline.read(raw, place)
        try:
            return parse_reference(raw)
        except ValueError as error:
            raise place.reject(str(error)) from None


class PackagesFile(Kind):
    """A conda file or a requirements file: a path, the file's own text (it has line ends), or a mapping (conda).

    `file:` before a path is allowed, as Azure allows it.
    """

    def __init__(self, *, may_be_mapping: bool) -> None:
        self._may_be_mapping = may_be_mapping

    def read(self, raw: object, place: Place) -> object:
        if self._may_be_mapping and isinstance(raw, Mapping):
            return dict(raw)
        if not isinstance(raw, str):
            raise place.reject("Not a valid string.")
        path = raw.removeprefix("file:")
        if not path.strip():
            raise place.reject("The path is empty.")
        return path


# Models ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineModel(Shape):
    """A model described in a deployment; registered on the way, under a generated name unless it has one."""

    ignored: ClassVar = READ_ONLY | {"stage", "flavors", "datastore", "system_metadata", "default_deployment_template"}
    advice: ClassVar = {"local_path": "it belongs to the 2021 format; write 'path'."}

    path: Annotated[FileLocation, Location()]
    name: AssetName | None = None
    version: Version | None = None
    type: ModelType = "custom_model"
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDocument(Document):
    """`model.yml`. Without a version the studio takes the next number."""

    title: ClassVar = "model document"
    ignored: ClassVar = InlineModel.ignored
    advice: ClassVar = InlineModel.advice

    name: AssetName
    path: Annotated[FileLocation, Location()]
    version: Version | None = None
    type: ModelType = "custom_model"
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


# Environments ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext(Shape):
    """A folder with a Dockerfile."""

    path: Annotated[FileLocation, Location()]
    dockerfile_path: str = "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute(Shape):
    """A route of a server that brings its own."""

    port: Annotated[int, Integer(minimum=1, maximum=65535)]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig(Shape):
    """The three routes of an image with its own server; all are required."""

    liveness_route: HttpRoute
    readiness_route: HttpRoute
    scoring_route: HttpRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentContent(Shape):
    """What an environment is made of.

    A list of packages alone is enough here, where Azure also wants the image that it installs them on.
    conda_file: a path, the file's text, or its content as a mapping. requirements_file: a path or the file's text
    (Slipway's own key, for those who have no conda file).
    """

    ignored: ClassVar = READ_ONLY | {"datastore"}
    advice: ClassVar = {
        "channels": "It looks like you are trying to specify a conda file. Name the file in 'conda_file'.",
        "dependencies": "It looks like you are trying to specify a conda file. Name the file in 'conda_file'.",
        "docker": "it belongs to the 2021 format; write 'image: <name>'.",
        "path": "it belongs to the 2021 format; write 'conda_file', or 'build' for a folder with a Dockerfile.",
    }

    image: str = ""
    build: BuildContext | None = None
    conda_file: Annotated[str | Mapping[str, object] | None, PackagesFile(may_be_mapping=True)] = None
    requirements_file: Annotated[str | None, PackagesFile(may_be_mapping=False)] = None
    inference_config: InferenceConfig | None = None
    os_type: Literal["linux", "windows"] = "linux"
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    @rule("image", "build", "conda_file", "requirements_file")
    def has_one_base(self) -> Iterator[Problem]:
        if self.image and self.build:
            yield "image", "Docker image or Dockerfile should be provided not both"
        elif not (self.image or self.build or self.conda_file or self.requirements_file):
            yield "image", "Docker image or Dockerfile is required for environments"

    @rule("conda_file", "requirements_file", "build")
    def has_one_list_of_packages(self) -> Iterator[Problem]:
        if self.conda_file and self.requirements_file:
            yield "requirements_file", "Give 'conda_file' or 'requirements_file', not both."
        if self.build and (self.conda_file or self.requirements_file):
            name = "conda_file" if self.conda_file else "requirements_file"
            yield name, f"The Dockerfile in 'build' installs the packages; leave '{name}' out."


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineEnvironment(EnvironmentContent):
    """An environment described in a deployment; registered on the way unless the same content is there already."""

    name: AssetName | None = None
    version: Version | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDocument(EnvironmentContent, Document):
    """`environment.yml`. Without a version the studio takes the next number."""

    title: ClassVar = "environment document"

    name: AssetName
    version: Version | None = None


ModelSource = Annotated[AssetReference | InlineModel | None, ReferenceOr(InlineModel)]
EnvironmentSource = Annotated[AssetReference | InlineEnvironment | None, ReferenceOr(InlineEnvironment)]
