"""A wizard's answers as values: what the steps understood, ready for documents, the side panel and creation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from endpoints.spec.documents import MLFLOW

EnvironmentKind = Literal["registered", "conda", "requirements", "model"]


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A completed upload: `id` for the services, the rest for people."""

    id: str
    root_name: str
    is_folder: bool
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class EndpointAnswer:
    """Where to deploy and under which name. auth_mode and description are those of a new endpoint."""

    name: str
    is_new: bool
    auth_mode: str
    deployment: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """`upload` is set for a model that will be registered, None for one that is.

    main_file: path below AZUREML_MODEL_DIR of what a script would load, "" where that is not clear. has_mlmodel:
    whether MLflow saved it, whatever type it was given.
    """

    name: str
    version: str
    type: str = "custom_model"
    description: str = ""
    upload: StoredUpload | None = None
    file_count: int = 0
    size_bytes: int = 0
    main_file: str = ""
    tree_digest: str = ""
    has_mlmodel: bool = False

    @property
    def is_mlflow(self) -> bool:
        """Whether it can be served without a script and brings its environment."""
        return self.type == MLFLOW

    @property
    def reference(self) -> str:
        return f"azureml:{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class EnvironmentAnswer:
    """`kind` says whether it is registered already, or what `definition` holds. build: `built 2 d ago`, for people.

    Of kind `model` it has no name: the model says what it needs.
    """

    name: str
    version: str
    kind: EnvironmentKind
    image: str = ""
    definition: str = ""
    build: str = ""

    @property
    def reference(self) -> str:
        return f"azureml:{self.name}:{self.version}"

    @property
    def is_new(self) -> bool:
        """Whether it is to be registered."""
        return self.kind in ("conda", "requirements")

    @property
    def title(self) -> str:
        return "from the model" if self.kind == "model" else f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """The scoring script and its folder: text from the editor, or an upload.

    scoring_script: path within the folder, "" where no script is needed.
    """

    scoring_script: str
    script: str = ""
    upload: StoredUpload | None = None


@dataclass(frozen=True, slots=True)
class ComputeAnswer:
    """Settings that equal the defaults are left out of `request_settings` and the probes; backend "": the studio's."""

    instance_type: str
    instance_count: int
    request_settings: Mapping[str, int] = field(default_factory=dict)
    liveness_probe: Mapping[str, int] = field(default_factory=dict)
    readiness_probe: Mapping[str, int] = field(default_factory=dict)
    backend: str = ""
    shared_pool_hours: int = 0


@dataclass(frozen=True, slots=True)
class TrafficAnswer:
    """The endpoint's whole split after the change; None leaves it as it is."""

    traffic: Mapping[str, int] | None
    percent: int


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything so far; what is not answered validly yet is None. A complete draft may have no model."""

    endpoint: EndpointAnswer | None = None
    model: ModelAnswer | None = None
    environment: EnvironmentAnswer | None = None
    code: CodeAnswer | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    compute: ComputeAnswer | None = None
    traffic: TrafficAnswer | None = None
