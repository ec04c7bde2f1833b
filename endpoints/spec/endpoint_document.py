"""`endpoint.yml`: a name, how callers prove who they are, and the split of traffic (contract B4, B24)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from endpoints.spec.comparison import ComparisonSettings
from endpoints.spec.gateway_settings import EndpointGatewaySettings
from endpoints.spec.names import endpoint_name_problem
from endpoints.spec.schema import Document, Integer, Kind, MapOf, Place, Problem, Shape, Text, rule
from endpoints.spec.traffic import mirror_problems, traffic_problems

EndpointName = Annotated[str, Text(endpoint_name_problem, is_lowered=True)]
AuthMode = Literal["aml_token", "key", "aad_token"]
Access = Literal["enabled", "disabled"]
Split = Annotated[Mapping[str, int], MapOf(Integer(), is_lowered=True)]


class ComputeReference(Kind):
    """`azureml:<cluster>`; the bare name is refused, as Azure does."""

    def read(self, raw: object, place: Place) -> str:
        if not isinstance(raw, str):
            raise place.reject("Not a valid string.")
        if not raw.startswith("azureml:") or not raw.removeprefix("azureml:"):
            raise place.reject(f"Write the attached cluster as azureml:<name>, not '{raw}'.")
        return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Shape):
    """Kept and shown; off Azure nothing is asked of it."""

    ignored: ClassVar = frozenset({"principal_id", "tenant_id"})

    type: Literal["system_assigned", "user_assigned", "none"] = "system_assigned"
    user_assigned_identities: tuple[str, ...] = ()

    @rule("user_assigned_identities")
    def has_at_most_one_user_identity(self) -> Iterator[Problem]:
        if len(self.user_assigned_identities) > 1:
            yield "user_assigned_identities", "At most one user-assigned identity can be given."


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineEndpointDocument(Document):
    """An online endpoint. `compute` None means this studio runs its deployments.

    `comparison` None: the answers of a shadow are dropped unseen.
    """

    title: ClassVar = "online endpoint document"
    ignored: ClassVar = frozenset(
        {"$schema", "id", "kind", "provisioning_state", "scoring_uri", "openapi_uri", "swagger_uri", "creation_context"}
    )
    advice: ClassVar = {
        "type": "it belongs to the 2021 format; remove it.",
        "target": "it belongs to the 2021 format; an attached cluster is named by 'compute: azureml:<name>'.",
        "deployments": "it belongs to the 2021 format; write each deployment as a document of its own.",
    }

    name: EndpointName
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    auth_mode: AuthMode = "key"
    compute: Annotated[str | None, ComputeReference()] = None
    identity: Identity | None = None
    traffic: Split = field(default_factory=dict)
    mirror_traffic: Split = field(default_factory=dict)
    comparison: ComparisonSettings | None = None
    public_network_access: Access = "enabled"
    location: str | None = None
    gateway_settings: EndpointGatewaySettings = field(default_factory=EndpointGatewaySettings)

    @rule("traffic")
    def traffic_is_0_or_100(self) -> Iterator[Problem]:
        for error in traffic_problems(self.traffic):
            yield error.field, error.message

    @rule("traffic", "mirror_traffic")
    def mirror_is_one_shadow(self) -> Iterator[Problem]:
        # How much may be mirrored is for each studio to say.
        for error in mirror_problems(self.mirror_traffic, traffic=self.traffic, max_percent=100):
            yield error.field, error.message

    @property
    def is_kubernetes(self) -> bool:
        return self.compute is not None
