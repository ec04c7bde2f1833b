"""How documents name things: registered assets (`azureml:name:version`) and files (a path, an upload, a stored tree).

Parses and prints; whether the thing exists is for others to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from endpoints.spec.names import asset_name_problem, version_problem

_ARM = re.compile(
    r"(?:azureml:/)?/subscriptions/.+/(?:models|environments)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)
_REGISTRY = re.compile(r"azureml://registries/(?P<registry>[^/]+)/")


@dataclass(frozen=True, slots=True)
class AssetReference:
    """A registered model or environment: by version, or by a label such as `latest`; exactly one is set."""

    name: str
    version: str = ""
    label: str = ""

    def as_text(self) -> str:
        return f"azureml:{self.name}@{self.label}" if self.label else f"azureml:{self.name}:{self.version}"

    def __str__(self) -> str:
        return self.as_text()


def parse_reference(text: str) -> AssetReference:
    """`azureml:n:v`, `azureml:n@label` or an Azure resource id. Raises ValueError with the sentence to show."""
    if match := _ARM.fullmatch(text):
        return _checked(AssetReference(match["name"], match["version"]), text)
    if match := _REGISTRY.match(text):
        raise ValueError(f"This studio has no registry '{match['registry']}'; register the asset here and name it.")
    if text.startswith("azureml://"):
        raise ValueError(f"'{text}' is not on this studio; register the files here and write azureml:<name>:<version>.")
    if not text.startswith("azureml:"):
        hint = f"azureml:{text}" if ":" in text or "@" in text else f"azureml:{text}:<version>"
        raise ValueError(f"'{text}' is not a reference to a registered asset; write {hint} or describe it inline.")
    rest = text.removeprefix("azureml:")
    if "@" in rest:
        name, _, label = rest.partition("@")
        return _checked(AssetReference(name, label=label), text)
    name, _, version = rest.partition(":")
    if not version:
        raise ValueError(f"Failed to extract version when parsing asset {text}. Version must be provided.")
    return _checked(AssetReference(name, version), text)


def _checked(reference: AssetReference, text: str) -> AssetReference:
    if problem := asset_name_problem(reference.name) or version_problem(reference.version or reference.label):
        raise ValueError(f"'{text}': {problem}")
    return reference


class LocationKind(StrEnum):
    PATH = "path"  # on the machine where the document was written
    UPLOAD = "upload"  # a completed upload, by id
    TREE = "tree"  # files the studio has already, by digest


@dataclass(frozen=True, slots=True)
class FileLocation:
    """Where the files of a model or of code are. Written `./path`, `upload:<id>` or `tree:<digest>`."""

    kind: LocationKind
    value: str

    def as_text(self) -> str:
        return self.value if self.kind is LocationKind.PATH else f"{self.kind.value}:{self.value}"

    @property
    def is_local(self) -> bool:
        return self.kind is LocationKind.PATH


def parse_location(text: str) -> FileLocation:
    """Anything that is not an upload or a tree is a path."""
    for kind in (LocationKind.UPLOAD, LocationKind.TREE):
        if text.startswith(f"{kind.value}:"):
            return FileLocation(kind, text.removeprefix(f"{kind.value}:"))
    return FileLocation(LocationKind.PATH, text)
